package consulstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/core"
)

// Upsert implements [core.FeatureStoreCore] by check-and-set. It is one request if this process wrote the item last, and two
// otherwise; each time another writer comes in between costs two more.
func (s *Store) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	results, err := s.ApplyChangeSet(ctx, []core.KindAndKeyedItem{{Kind: kind, Key: key, Item: item}})
	if err != nil {
		return core.UpsertResult{}, err
	}
	return results[0], nil
}

// ApplyChangeSet implements [core.ChangeSetApplier] with one transaction for all items. A change set that needs more
// operations or bytes than a transaction may have is an error wrapping [core.ErrTooLarge]. Of several changes to one item, the
// one with the greatest version counts, and the results of the others show it.
func (s *Store) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	for _, change := range changes {
		if err := s.validate(change.Kind, change.Key, change.Item); err != nil {
			return nil, err
		}
	}
	set := newChangeSet(s, changes)
	_, err := call(ctx, s.session, s.session.writing(set.describe()), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, untilSettled(ctx, set.describe(), func() error { return set.attempt(ctx) })
	})
	if err != nil {
		return nil, set.explain(err)
	}
	return set.results(changes), nil
}

// changeSet is a set of upserts, each to a different item.
type changeSet struct {
	store   *Store
	changes []*change
	byName  map[string]*change

	refused  error // why the server undid the attempt before this one, if it did
	baseless int   // how often it did although nothing had changed
}

type change struct {
	core.KindAndKeyedItem
	name   string
	source int   // its index in what the caller gave
	stamp  stamp // what it is based on
	tried  bool  // the attempt before this one was based on stamp
	keep   bool  // the stored item is not older
	stored core.SerializedItem
}

func newChangeSet(store *Store, given []core.KindAndKeyedItem) *changeSet {
	set := &changeSet{store: store, byName: make(map[string]*change, len(given))}
	for i, item := range given {
		name := store.session.keys.item(item.Kind, item.Key)
		if earlier := set.byName[name]; earlier != nil {
			if item.Item.Version > earlier.Item.Version {
				earlier.KindAndKeyedItem, earlier.source = item, i
			}
			continue
		}
		set.byName[name] = &change{KindAndKeyedItem: item, name: name, source: i}
		set.changes = append(set.changes, set.byName[name])
	}
	return set
}

func (set *changeSet) describe() string {
	if len(set.changes) == 1 {
		return set.store.session.keys.directory(set.changes[0].Kind)
	}
	return fmt.Sprintf("%d items", len(set.changes))
}

// attempt compares every item and writes those that are newer, if nobody else has written them since. It returns errLost if
// somebody has.
func (set *changeSet) attempt(ctx context.Context) error {
	began, unchanged := time.Now(), true
	for _, c := range set.changes {
		before := c.stamp
		if err := set.judge(ctx, c); err != nil {
			return lostAnyway(ctx, set.refused, began, err)
		}
		unchanged = unchanged && c.tried && c.stamp.index == before.index
		c.tried = true
	}
	if set.refused != nil && unchanged {
		if set.baseless++; set.baseless > maxBaseless {
			return set.refused
		}
	}
	return set.write(ctx)
}

// judge finds out what a change is based on, and whether the stored item is to be kept. A stored item that cannot be decoded
// has no version.
func (set *changeSet) judge(ctx context.Context, c *change) error {
	if known, found := set.store.indexes.get(c.name); found && known.version < c.Item.Version {
		c.stamp, c.keep = known, false
		return nil
	}
	mode := ConsistencyDefault
	if set.refused != nil {
		mode = ConsistencyConsistent
	}
	pair, err := set.store.session.get(ctx, c.name, mode)
	if err != nil {
		return err
	}
	c.stamp, c.keep = stamp{}, false
	if pair == nil {
		return nil
	}
	c.stamp.index, c.stored = pair.ModifyIndex, core.SerializedItem{Data: valueOf(pair)}
	if item, err := c.stored.Parse(c.Kind, c.Key); err == nil {
		c.stored.Version, c.stored.Deleted = item.Version(), item.Deleted()
		c.keep = item.Version() >= c.Item.Version
	}
	return nil
}

func (set *changeSet) write(ctx context.Context) error {
	var ops []txnOp
	var writing []*change
	for _, c := range set.changes {
		if !c.keep {
			ops = append(ops, set.store.session.op(api.KVCAS, c.name, c.Item.Data, c.stamp.index))
			writing = append(writing, c)
		}
	}
	session := set.store.session
	switch {
	case len(ops) == 0:
		return nil
	case fitsOne(ops, session.maxOps(), session.maxSize()):
		return set.transact(ctx, ops, writing)
	case len(ops) == 1:
		return set.put(ctx, writing[0])
	}
	return &ownError{fmt.Errorf("consulstore: writing %s: %w: a transaction may have %d operations and %d bytes of JSON; "+
		"apply the changes in parts", set.describe(), core.ErrTooLarge, session.maxOps(), session.maxSize())}
}

// transact writes in one transaction, which says how the items are stamped then.
func (set *changeSet) transact(ctx context.Context, ops []txnOp, writing []*change) error {
	pairs, err := set.store.session.transact(ctx, ops)
	if err != nil {
		set.forget(writing)
		var undone *rollbackError
		switch {
		case errors.As(err, &undone):
			set.refused = err
			return errLost
		case len(ops) == 1 && tooLarge(err) && fitsPath(writing[0].name):
			return set.put(ctx, writing[0]) // The server accepts less in a transaction than was thought.
		}
		return err
	}
	for _, pair := range pairs {
		if c := set.byName[pair.Key]; c != nil {
			set.store.indexes.put(c.name, stamp{pair.ModifyIndex, c.Item.Version})
		}
	}
	return nil
}

// put writes an item that is too large for a transaction. The answer does not say how it is stamped then.
func (set *changeSet) put(ctx context.Context, c *change) error {
	set.store.indexes.forget(c.name)
	written, err := set.store.session.putIf(ctx, c.name, c.Item.Data, c.stamp.index)
	if err == nil && !written {
		set.refused = errLost
		return errLost
	}
	return err
}

func (set *changeSet) forget(changes []*change) {
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = c.name
	}
	set.store.indexes.forget(names...)
}

// explain makes an error that the server found a lone item too large one about the item.
func (set *changeSet) explain(err error) error {
	var item *core.ItemError
	if len(set.changes) == 1 && errors.Is(err, core.ErrTooLarge) && !errors.As(err, &item) {
		c := set.changes[0]
		return fmt.Errorf("consulstore: %w", &core.ItemError{Kind: c.Kind, Key: c.Key, Size: len(c.Item.Data), Err: err})
	}
	return err
}

// results lists the results in the order of the changes given.
func (set *changeSet) results(given []core.KindAndKeyedItem) []core.UpsertResult {
	results := make([]core.UpsertResult, len(given))
	for i, item := range given {
		c := set.byName[set.store.session.keys.item(item.Kind, item.Key)]
		if c.keep {
			results[i].Item = c.stored
			continue
		}
		results[i] = core.UpsertResult{Item: c.Item, Written: c.source == i}
	}
	return results
}
