package ldbridge

import (
	"context"
	"errors"
	"testing"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/storetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// The public suite for persistent data stores of LaunchDarkly's SDK passes over every store.
func TestDataStore_Storetest(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, db database) {
		storetest.NewPersistentDataStoreTestSuite(db.dataStore, db.clear).
			ConcurrentModificationHook(callBeforeUpsert).
			ErrorStoreFactory(db.failingDataStore(), func(t assert.TestingT, err error) {
				assert.ErrorIs(t, err, db.failure)
			}).
			Run(t)
	})
}

// clear removes what is under a prefix, and everything else too.
func (db database) clear(string) error { return db.wipe(context.Background()) }

// callBeforeUpsert makes store call hook immediately before each Upsert. The stores compare and write in one step of the
// database, so that there is no later moment at which another writer could come in between; but see
// TestDataStore_Upsert_BetweenReadAndWriteOfConsul.
func callBeforeUpsert(store subsystems.PersistentDataStore, hook func()) {
	bridge := store.(*dataStore)
	bridge.core = lifecycle.Bound(newGroup(), beforeUpsert{bridge.core, hook}, lifecycle.Limits{})
}

type beforeUpsert struct {
	core.FeatureStoreCore
	hook func()
}

func (s beforeUpsert) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	s.hook()
	return s.FeatureStoreCore.Upsert(ctx, kind, key, item)
}

// The public suite for big segment stores of LaunchDarkly's SDK passes over every store.
func TestBigSegmentStore_Storetest(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, db database) {
		storetest.NewBigSegmentStoreTestSuite(db.bigSegments, db.clear,
			func(prefix string, metadata subsystems.BigSegmentStoreMetadata) error {
				return db.fillBigSegments(prefix, func(ctx context.Context, w core.BigSegmentWriter) error {
					return w.SetLastUpToDate(ctx, metadata.LastUpToDate)
				})
			},
			func(prefix, hash string, included, excluded []string) error {
				return db.fillBigSegments(prefix, func(ctx context.Context, w core.BigSegmentWriter) error {
					return setMembership(ctx, w, hash, included, excluded)
				})
			},
		).Run(t)
	})
}

// fillBigSegments calls fill with the writer of a big segment store.
func (db database) fillBigSegments(prefix string, fill func(context.Context, core.BigSegmentWriter) error) error {
	ctx := context.Background()
	store, err := db.openBigSegments(ctx, prefix)
	if err != nil {
		return err
	}
	return errors.Join(fill(ctx, store.(core.BigSegmentWriter)), store.Close())
}

// setMembership adds a context to segments, by one patch for each.
func setMembership(ctx context.Context, w core.BigSegmentWriter, hash string, included, excluded []string) error {
	patch := func(ref string, in, out []string) error {
		applied, err := w.ApplyPatch(ctx, core.BigSegmentPatch{
			SegmentRef: ref,
			Included:   core.BigSegmentChanges{Add: in}, Excluded: core.BigSegmentChanges{Add: out},
		})
		if err == nil && !applied {
			err = errors.New("the store refused the patch")
		}
		return err
	}
	for _, ref := range included {
		if err := patch(ref, []string{hash}, nil); err != nil {
			return err
		}
	}
	for _, ref := range excluded {
		if err := patch(ref, nil, []string{hash}); err != nil {
			return err
		}
	}
	return nil
}

// build makes a component as the SDK does.
func build[T any](t *testing.T, configurer subsystems.ComponentConfigurer[T]) T {
	t.Helper()
	component, err := configurer.Build(subsystems.BasicClientContext{})
	require.NoError(t, err)
	return component
}
