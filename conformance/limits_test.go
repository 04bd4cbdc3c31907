package conformance

import (
	"context"
	"errors"
	"testing"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// shortKeys is a store that refuses keys that are longer than maxKey.
type shortKeys struct{ *memorystore.Store }

const maxKey = 200

func tooLong(key string) error {
	if len(key) <= maxKey {
		return nil
	}
	return &core.ItemError{Kind: core.Flags, Key: key, Err: core.ErrTooLarge}
}

func (s shortKeys) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	if err := tooLong(key); err != nil {
		return core.UpsertResult{}, err
	}
	return s.Store.Upsert(ctx, kind, key, item)
}

func (s shortKeys) Init(ctx context.Context, data []core.SerializedCollection) error {
	var refused []error
	var rest []core.SerializedCollection
	for _, c := range data {
		kept := core.SerializedCollection{Kind: c.Kind}
		for _, item := range c.Items {
			if err := tooLong(item.Key); err != nil {
				refused = append(refused, err)
			} else {
				kept.Items = append(kept.Items, item)
			}
		}
		rest = append(rest, kept)
	}
	if err := s.Store.Init(ctx, rest); err != nil {
		return err
	}
	return errors.Join(refused...)
}

func shortKeysHarness(open func(s *memorystore.Store) core.FeatureStoreCore) Harness {
	db := new(memorystore.Database)
	h := memoryHarness(db)
	h.Capabilities.MaxKeySize = maxKey
	h.Open = func(_ testing.TB, prefix string) core.FeatureStoreCore {
		return open(memorystore.New(db, &memorystore.Options{Prefix: prefix}))
	}
	return h
}

func TestRunFeatureStore_LimitedKeys_Passes(t *testing.T) {
	h := shortKeysHarness(func(s *memorystore.Store) core.FeatureStoreCore { return shortKeys{s} })
	testrun.Record(t, nil, func(t tester) { runFeatureStore(t, h, tinySizes()) }).RequireFailures(t, nil, nil)
}

func TestSuite_KeyLimitThatIsNone_FailsWhereMeant(t *testing.T) {
	h := shortKeysHarness(func(s *memorystore.Store) core.FeatureStoreCore { return s })
	testrun.Record(t, nil, func(t tester) { runFeatureStore(t, h, tinySizes()) }).RequireFailures(t, []string{
		"Keys/TooLongKeyIsRefusedByUpsert", "Keys/TooLongKeyStopsNothingElseInInit",
	}, nil)
}

func TestRunFeatureStore_LimitedItems_Passes(t *testing.T) {
	h := limitedHarness(new(memorystore.Database), faultyMaxItemSize)
	testrun.Record(t, nil, func(t tester) { runFeatureStore(t, h, tinySizes()) }).RequireFailures(t, nil, nil)
}
