package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

// maxUpsertAttempts bounds how often an upsert starts again because another writer changed an item while it was judged.
const maxUpsertAttempts = 16

// Upsert implements [core.FeatureStoreCore]. Comparing and writing is one script and one round trip; a second one is needed
// only to overwrite an item that is damaged, or one that does not say its version where items do.
func (s *Store) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	results, err := s.ApplyChangeSet(ctx, []core.KindAndKeyedItem{{Kind: kind, Key: key, Item: item}})
	if err != nil {
		return core.UpsertResult{}, err
	}
	return results[0], nil
}

// ApplyChangeSet implements [core.ChangeSetApplier] with one script for all items. Of several changes to one item, the one
// with the greatest version counts, and the results of the others show it.
func (s *Store) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	for _, change := range changes {
		if err := s.validate(change.Kind, change.Key, change.Item); err != nil {
			return nil, err
		}
	}
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	if err := s.writable(); err != nil {
		return nil, err
	}
	set := newChangeSet(s.keys, changes)
	switch err := set.apply(ctx, s.client); {
	case errors.Is(err, core.ErrConflict):
		return nil, fmt.Errorf("redisstore: writing %s: %w", set.describe(), err)
	case err != nil:
		return nil, s.explain(ctx, writing(set.describe()), err)
	}
	return set.results(changes), nil
}

func (s *Store) validate(kind core.DataKind, key string, item core.SerializedItem) error {
	if err := core.ValidateKey(kind, key); err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	s.kinds.note(kind)
	if len(item.Data) == 0 {
		return fmt.Errorf("redisstore: %w: item %.100q of kind %q has no JSON", core.ErrInvalid, key, string(kind))
	}
	if len(item.Data) > s.options.MaxItemSize {
		reason := fmt.Errorf("%w: the limit is %d bytes", core.ErrTooLarge, s.options.MaxItemSize)
		return fmt.Errorf("redisstore: %w", &core.ItemError{Kind: kind, Key: key, Size: len(item.Data), Err: reason})
	}
	return nil
}

// changeSet is a set of upserts, each to a different item, on its way through the script.
type changeSet struct {
	hashes  []string
	hashOf  map[core.DataKind]int // counted from 1, as Lua does
	changes []*change
	byItem  map[itemID]*change
}

type itemID struct {
	kind core.DataKind
	key  string
}

type change struct {
	core.KindAndKeyedItem
	source  int                 // its index in what the caller gave
	verdict string              // what upsert.lua is told about kept
	kept    core.SerializedItem // the stored item that was judged last
	result  core.UpsertResult
}

func newChangeSet(keys keys, given []core.KindAndKeyedItem) *changeSet {
	set := &changeSet{hashOf: map[core.DataKind]int{}, byItem: map[itemID]*change{}}
	for i, item := range given {
		id := itemID{item.Kind, item.Key}
		if earlier := set.byItem[id]; earlier != nil {
			if item.Item.Version > earlier.Item.Version {
				earlier.KindAndKeyedItem, earlier.source = item, i
			}
			continue
		}
		if set.hashOf[item.Kind] == 0 {
			set.hashes = append(set.hashes, keys.items(item.Kind))
			set.hashOf[item.Kind] = len(set.hashes)
		}
		set.byItem[id] = &change{KindAndKeyedItem: item, source: i}
		set.changes = append(set.changes, set.byItem[id])
	}
	return set
}

func (set *changeSet) describe() string { return strings.Join(set.hashes, " and ") }

// apply runs the script until it has done everything. What the script could not decide is decided here, by the same code
// that reads items elsewhere, and the script then does it if the stored item is still the one that was looked at.
func (set *changeSet) apply(ctx context.Context, client redis.UniversalClient) error {
	if len(set.changes) == 0 {
		return nil
	}
	for range maxUpsertAttempts {
		reply, err := runScript(ctx, client, upsertScript, set.hashes, set.arguments()...)
		if err != nil {
			return err
		}
		answers, ok := reply.([]any)
		if !ok || len(answers) != len(set.changes)+1 {
			return fmt.Errorf("unexpected answer of type %T from a script", reply)
		}
		if set.settle(answers) {
			return nil
		}
	}
	return fmt.Errorf("%w: other writers came first %d times", core.ErrConflict, maxUpsertAttempts)
}

func (set *changeSet) arguments() []any {
	args := make([]any, 0, 5*len(set.changes))
	for _, c := range set.changes {
		args = append(args, set.hashOf[c.Kind], c.Key, strconv.Itoa(c.Item.Version), c.Item.Data, c.verdict)
	}
	return args
}

// settle reads an answer of the script and reports whether nothing is left to do.
func (set *changeSet) settle(answers []any) bool {
	done := answers[0] == int64(1)
	allKept := true
	for i, c := range set.changes {
		switch answer := answers[i+1].(type) {
		case string:
			c.judge(answer)
		case int64:
			c.written(answer == 1)
		}
		allKept = allKept && !c.result.Written
	}
	return done || allKept
}

// judge decides about a stored item that the script could not judge.
func (c *change) judge(stored string) {
	item, err := core.ParseItem([]byte(stored))
	if err != nil || item.Version() < c.Item.Version {
		c.verdict = "w" + sha1Hex(stored)
		c.written(true)
		return
	}
	c.verdict = "k" + sha1Hex(stored)
	c.kept = core.SerializedItem{Version: item.Version(), Deleted: item.Deleted(), Data: item.JSON()}
	c.written(false)
}

// written notes how the upsert ends, or will end if the script then does as it was told.
func (c *change) written(yes bool) {
	if yes {
		c.result = core.UpsertResult{Item: c.Item, Written: true}
		return
	}
	c.result = core.UpsertResult{Item: c.kept}
}

// results lists the results in the order of the changes given.
func (set *changeSet) results(given []core.KindAndKeyedItem) []core.UpsertResult {
	results := make([]core.UpsertResult, len(given))
	for i, item := range given {
		c := set.byItem[itemID{item.Kind, item.Key}]
		results[i] = c.result
		results[i].Written = c.result.Written && c.source == i
	}
	return results
}
