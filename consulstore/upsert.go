package consulstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

const (
	// maxAttempts bounds how often an update starts again because another writer came first.
	maxAttempts = 40

	// maxBaseless bounds how often it starts again although nothing has changed: an item may have come and gone in between,
	// as when others initialise the store, but not every time.
	maxBaseless = 6

	// maxRemembered bounds how many keys are remembered, at about a hundred bytes each.
	maxRemembered = 100_000
)

// errLost says that another writer came first.
var errLost = errors.New("another writer came first")

// contest is an update by check-and-set, which starts again when another writer came first.
type contest struct {
	refused  error   // why the server undid the attempt before this one, if it did
	tried    []txnOp // what that attempt was
	baseless int     // how often the server undid one although nothing had changed
}

// settle runs attempt until it returns something else than errLost, with pauses of random length. An update that never wins is
// an error wrapping [core.ErrConflict].
func (c *contest) settle(ctx context.Context, what string, attempt func() error) error {
	const firstPause, longestPause = 5 * time.Millisecond, 150 * time.Millisecond
	pauses := backoff.ExponentialBackOff{
		InitialInterval: firstPause, RandomizationFactor: 1, Multiplier: 1.5, MaxInterval: longestPause,
	}
	for range maxAttempts {
		if err := attempt(); !errors.Is(err, errLost) {
			return err
		}
		if err := pause.For(ctx, pauses.NextBackOff()); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("consulstore: writing %s: %v: other writers came first in %d attempts", what, core.ErrConflict, maxAttempts)
	return &storeError{text, core.ErrConflict, c.refused}
}

// mode is how to read what an attempt is based on: after a refusal, from a leader that makes sure that it is one.
func (c *contest) mode() Consistency {
	if c.refused != nil {
		return ConsistencyConsistent
	}
	return ConsistencyDefault
}

// next begins an attempt with these operations. It returns why the server undid the ones before if that was not for another
// writer.
func (c *contest) next(ops []txnOp) error {
	unchanged := slices.EqualFunc(ops, c.tried, func(a, b txnOp) bool { return a.KV.Key == b.KV.Key && a.KV.Index == b.KV.Index })
	c.tried = ops
	if c.refused != nil && unchanged {
		if c.baseless++; c.baseless > maxBaseless {
			return c.refused
		}
	}
	return nil
}

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
	if err := s.kv.begin(ctx); err != nil {
		return nil, err
	}
	set := newChangeSet(s, changes)
	if err := set.settle(ctx, set.describe(), func() error { return set.attempt(ctx) }); err != nil {
		return nil, set.explain(s.kv.notWritten(ctx, set.describe(), err))
	}
	return set.results(changes), nil
}

// changeSet is a set of upserts, each to a different item.
type changeSet struct {
	contest
	kv      *kv
	indexes *indexes
	changes []*change
	byName  map[string]*change
}

type change struct {
	core.KindAndKeyedItem
	name   string
	source int   // its index in what the caller gave
	stamp  stamp // what it is based on
	keep   bool  // the stored item is not older
	stored core.SerializedItem
}

func newChangeSet(store *Store, given []core.KindAndKeyedItem) *changeSet {
	set := &changeSet{kv: store.kv, indexes: &store.indexes, byName: make(map[string]*change, len(given))}
	for i, item := range given {
		name := store.kv.keys.item(item.Kind, item.Key)
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
		return set.kv.keys.directory(set.changes[0].Kind)
	}
	return fmt.Sprintf("%d items", len(set.changes))
}

// attempt compares every item and writes those that are newer, if no other writer has written them since. It returns errLost if
// one has.
func (set *changeSet) attempt(ctx context.Context) error {
	var ops []txnOp
	var last *change
	for _, c := range set.changes {
		if err := set.judge(ctx, c); err != nil {
			return err
		}
		if !c.keep {
			ops, last = append(ops, set.kv.op(api.KVCAS, c.name, c.Item.Data, c.stamp.index)), c
		}
	}
	if err := set.next(ops); err != nil {
		return err
	}
	switch {
	case len(ops) == 0:
		return nil
	case fitsOne(ops, set.kv.maxOps(), set.kv.maxSize()):
		return set.transact(ctx, ops, last)
	case len(ops) == 1:
		return set.put(ctx, last)
	}
	return &storeError{fmt.Sprintf("consulstore: writing %s: %v: a transaction may have %d operations and %d bytes of JSON; "+
		"apply the changes in parts", set.describe(), core.ErrTooLarge, set.kv.maxOps(), set.kv.maxSize()), core.ErrTooLarge, nil}
}

// judge finds out what a change is based on, and whether the stored item is to be kept. A stored item that cannot be decoded
// has no version.
func (set *changeSet) judge(ctx context.Context, c *change) error {
	if known, found := set.indexes.get(c.name); found && known.version < c.Item.Version {
		c.stamp, c.keep = known, false
		return nil
	}
	pair, err := set.kv.get(ctx, c.name, set.mode())
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

// transact writes in one transaction, which says how the items are stamped then. last is what the last operation writes.
func (set *changeSet) transact(ctx context.Context, ops []txnOp, last *change) error {
	pairs, err := set.kv.transact(ctx, ops)
	if err != nil {
		set.indexes.forget(ops...)
		var undone *rollbackError
		switch {
		case errors.As(err, &undone):
			set.refused = err
			return errLost
		case len(ops) == 1 && tooLarge(err) && fitsPath(last.name):
			return set.put(ctx, last) // The server accepts less in a transaction than was thought.
		}
		return err
	}
	for _, pair := range pairs {
		if c := set.byName[pair.Key]; c != nil {
			set.indexes.put(c.name, stamp{pair.ModifyIndex, c.Item.Version})
		}
	}
	return nil
}

// put writes an item that is too large for a transaction. The answer does not say how it is stamped then.
func (set *changeSet) put(ctx context.Context, c *change) error {
	set.indexes.forget(set.tried...)
	written, err := set.kv.putIf(ctx, c.name, c.Item.Data, c.stamp.index)
	if err == nil && !written {
		set.refused = errLost
		return errLost
	}
	return err
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
		c := set.byName[set.kv.keys.item(item.Kind, item.Key)]
		if c.keep {
			results[i].Item = c.stored
			continue
		}
		results[i] = core.UpsertResult{Item: c.Item, Written: c.source == i}
	}
	return results
}

// indexes remembers for keys that this process wrote when they were last modified, and which version they then had. It is
// what makes most upserts one request, and it may be wrong at any time: the server compares the index before it writes.
// The zero value is empty and ready.
type indexes struct {
	mu    sync.Mutex
	known map[string]stamp
}

// stamp is the state of a key: when it was last modified, for which 0 means that it is not there, and the version of its
// item.
type stamp struct {
	index   uint64
	version int
}

func (x *indexes) get(name string) (stamp, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	known, found := x.known[name]
	return known, found
}

// put remembers a key, unless something newer is known.
func (x *indexes) put(name string, now stamp) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.known == nil {
		x.known = map[string]stamp{}
	}
	known, found := x.known[name]
	if found && known.index >= now.index {
		return
	}
	if !found && len(x.known) >= maxRemembered {
		for other := range x.known { // any one
			delete(x.known, other)
			break
		}
	}
	x.known[name] = now
}

// forget forgets what operations are about to change.
func (x *indexes) forget(ops ...txnOp) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range ops {
		delete(x.known, ops[i].KV.Key)
	}
}
