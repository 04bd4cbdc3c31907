package datasystem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

var errCut = errors.New("cable cut")

// followed is memory that a database follows.
type followed struct {
	t     *testing.T
	store core.FeatureStore
	sink  *Sink
	line  *flagtest.Faulty   // to the database
	db    *memorystore.Store // past it
	raw   *memorystore.Database
}

func modes() []caching.Mode {
	return []caching.Mode{caching.Off(), caching.TTL(time.Second), caching.Forever()}
}

// inModes runs a test in each mode of the cache, on virtual time.
func inModes(t *testing.T, test func(f *followed)) {
	t.Helper()
	for _, mode := range modes() {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logger := slog.New(slog.DiscardHandler)
				db := &memorystore.Database{}
				f := &followed{t: t, line: &flagtest.Faulty{Store: memorystore.New(db, nil)}, db: memorystore.New(db, nil), raw: db}
				wrapper, err := caching.NewCachingStoreWrapper(f.line, &caching.Options{Mode: mode, Logger: logger})
				require.NoError(t, err)
				f.store = NewFollowedMemory(wrapper, logger)
				f.sink = NewSink(f.store, logger)
				t.Cleanup(func() {
					f.sink.Close()
					require.NoError(t, f.store.Close())
				})
				test(f)
			})
		})
	}
}

// seed writes to the database as another process would.
func (f *followed) seed(key string, version int) {
	f.t.Helper()
	item := flagtest.Keyed(f.t, key, flagtest.OnFlag(key, version, "1")).Item
	require.NoError(f.t, f.db.Init(f.t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
		{Key: key, Item: item.Serialized(core.Flags, key)},
	}}}))
}

func (f *followed) ghost() {
	f.t.Helper()
	item := flagtest.Keyed(f.t, "ghost", flagtest.OnFlag("ghost", 1, "1")).Item
	_, err := f.db.Upsert(f.t.Context(), core.Flags, "ghost", item.Serialized(core.Flags, "ghost"))
	require.NoError(f.t, err)
}

// apply applies a change set of flags, written "a:1 b:2-" with a dash for what is deleted.
func (f *followed) apply(kind core.ChangeSetType, text string) {
	f.t.Helper()
	flags := core.Collection{Kind: core.Flags}
	for part := range strings.FieldsSeq(text) {
		key, rest, _ := strings.Cut(part, ":")
		rest, deleted := strings.CutSuffix(rest, "-")
		var version int
		_, err := fmt.Sscan(rest, &version)
		require.NoError(f.t, err)
		item := core.NewTombstone(core.Flags, key, version)
		if !deleted {
			item = flagtest.Keyed(f.t, key, flagtest.OnFlag(key, version, "1")).Item
		}
		flags.Items = append(flags.Items, core.KeyedItem{Key: key, Item: item})
	}
	require.NoError(f.t, f.sink.Apply(f.t.Context(), &core.ChangeSet{Type: kind, Data: []core.Collection{flags}}))
}

// memory returns the live flags that evaluations see.
func (f *followed) memory() string {
	f.t.Helper()
	all, err := f.store.All(f.t.Context(), core.Flags)
	require.NoError(f.t, err)
	var parts []string
	for key, item := range all {
		parts = append(parts, fmt.Sprintf("%s:%d", key, item.Version()))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// database returns all flags of the database, deleted ones with a dash.
func (f *followed) database() string {
	f.t.Helper()
	all, err := f.db.GetAll(f.t.Context(), core.Flags)
	require.NoError(f.t, err)
	var parts []string
	for _, each := range all {
		item, err := each.Item.Parse(core.Flags, each.Key)
		require.NoError(f.t, err)
		part := fmt.Sprintf("%s:%d", each.Key, item.Version())
		if item.Deleted() {
			part += "-"
		}
		parts = append(parts, part)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func TestFollowedMemory_DatabaseStartsIt_AndCountsNoMoreThen(t *testing.T) {
	inModes(t, func(f *followed) {
		f.seed("old", 1)
		time.Sleep(time.Second)
		require.Equal(f.t, "old:1", f.memory())
		f.apply(fullSet, "a:1")
		require.Equal(f.t, "a:1", f.memory())
		time.Sleep(time.Second)
		require.Equal(f.t, "a:1", f.database())
		f.seed("other", 9) // another process replaces everything
		require.Equal(f.t, "a:1", f.memory())
		time.Sleep(time.Minute)
		require.Equal(f.t, "a:1", f.memory())
	})
}

// A full payload overwrites whatever versions the database has; a change does not.
func TestFollowedMemory_DatabaseFollows(t *testing.T) {
	inModes(t, func(f *followed) {
		f.seed("a", 100)
		f.apply(fullSet, "a:1 b:5 gone:1")
		time.Sleep(time.Second)
		require.Equal(f.t, "a:1 b:5 gone:1", f.database())
		initialized, err := f.db.Initialized(f.t.Context())
		require.NoError(f.t, err)
		require.True(f.t, initialized)
		f.apply(partSet, "a:2 b:4 gone:2-")
		require.Equal(f.t, "a:2 b:4", f.memory())
		time.Sleep(time.Second)
		require.Equal(f.t, "a:2 b:5 gone:2-", f.database())
	})
}

// The six recoveries of a store, FDV2.md, section 8.
func TestFollowedMemory_Outage_DatabaseGetsEverythingAfterIt(t *testing.T) {
	inModes(t, func(f *followed) {
		f.apply(fullSet, "a:1 b:1")
		time.Sleep(time.Second)
		for round, a := range []int{2, 3} {
			f.line.Fail(errCut)
			f.apply(partSet, fmt.Sprintf("a:%d", a))
			f.apply(partSet, "b:2-")
			require.Equal(f.t, fmt.Sprintf("a:%d", a), f.memory(), "at once")
			before := f.database()
			time.Sleep(time.Second)
			require.Equal(f.t, before, f.database())
			f.ghost()
			time.Sleep(time.Duration(1+30*round) * time.Second)
			f.line.Fail(nil)
			time.Sleep(10 * time.Second)
			require.Equal(f.t, fmt.Sprintf("a:%d b:2-", a), f.database())
		}
	})
}

// A write that fails when the database is back is repeated.
func TestFollowedMemory_FailsAgainAfterTheOutage(t *testing.T) {
	inModes(t, func(f *followed) {
		f.apply(fullSet, "a:1 b:1")
		time.Sleep(time.Second)
		f.line.Fail(errCut)
		f.apply(partSet, "a:2 b:2-")
		time.Sleep(2 * time.Second)
		tried := make(chan struct{}, 100)
		f.line.Set(func(_ context.Context, operation string) error {
			if operation != "Init" {
				return nil
			}
			tried <- struct{}{}
			return errors.New("cut half-way")
		})
		began := time.Now()
		<-tried
		require.Less(f.t, time.Since(began), 10*time.Second)
		time.Sleep(3 * time.Second)
		f.line.Fail(nil)
		time.Sleep(10 * time.Second)
		require.Equal(f.t, "a:2 b:2-", f.database())
	})
}

// One write that fails is no outage, and is repeated too.
func TestFollowedMemory_OneWriteFails_IsRepeated(t *testing.T) {
	inModes(t, func(f *followed) {
		f.apply(fullSet, "a:1")
		time.Sleep(time.Second)
		var failed atomic.Bool
		f.line.Set(func(_ context.Context, operation string) error {
			if operation == "Upsert" && !failed.Swap(true) {
				return errors.New("connection reset")
			}
			return nil
		})
		f.apply(partSet, "a:2")
		time.Sleep(10 * time.Second)
		require.Equal(f.t, "a:2", f.database())
	})
}

// A database that is wiped gets everything again.
func TestFollowedMemory_DatabaseWiped_IsFilled(t *testing.T) {
	inModes(t, func(f *followed) {
		f.apply(fullSet, "a:1 b:1")
		f.apply(partSet, "b:2-")
		time.Sleep(15 * time.Second)
		f.raw.Wipe()
		time.Sleep(20 * time.Second)
		require.Equal(f.t, "a:1 b:2-", f.database())
		require.Equal(f.t, "a:1", f.memory())
	})
}

func TestFollowedMemory_DatabaseHangs_MemoryGoesOn(t *testing.T) {
	inModes(t, func(f *followed) {
		f.line.Set(flagtest.Hang)
		began := time.Now()
		f.apply(fullSet, "a:1")
		for version := 2; version < 10; version++ {
			f.apply(partSet, fmt.Sprintf("a:%d", version))
		}
		require.Equal(f.t, "a:9", f.memory())
		require.Zero(f.t, time.Since(began))
		require.NoError(f.t, f.store.Close())
		require.Less(f.t, time.Since(began), 10*time.Second)
	})
}

func TestFollowedMemory_Close_EndsEverything(t *testing.T) {
	inModes(t, func(f *followed) {
		require.NoError(f.t, f.store.Close())
		require.ErrorIs(f.t, f.store.Init(f.t.Context(), nil), core.ErrClosed)
	})
}

// A flag never reaches the database before what it refers to, and a change set reaches it in one step where that can be.
func TestFollowedMemory_ChangeSet_InOneStepOrInOrder(t *testing.T) {
	const keys = 20 // each flag has the next one as its prerequisite
	var changes core.Collection
	for i := range keys {
		flag := fmt.Sprintf(`{"key":"f%02d","version":2,"prerequisites":[{"key":"f%02d","variation":0}]}`, i, i+1)
		changes.Items = append(changes.Items, flagtest.Keyed(t, fmt.Sprintf("f%02d", i), flag))
	}
	changes.Kind = core.Flags
	for name, wrap := range map[string]func(t *testing.T, store core.FeatureStoreCore) core.FeatureStore{
		"wrapper": func(t *testing.T, store core.FeatureStoreCore) core.FeatureStore {
			t.Helper()
			wrapper, err := caching.NewCachingStoreWrapper(store, &caching.Options{Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			return wrapper
		},
		"store without change sets": func(t *testing.T, store core.FeatureStoreCore) core.FeatureStore {
			t.Helper()
			wrapper, err := caching.NewCachingStoreWrapper(store, &caching.Options{Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			return struct{ core.FeatureStore }{wrapper}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				written := &recorder{Store: memorystore.New(nil, nil)}
				store := NewFollowedMemory(wrap(t, written), slog.New(slog.DiscardHandler))
				defer func() { require.NoError(t, store.Close()) }()
				require.NoError(t, store.Init(t.Context(), nil))
				synctest.Wait()
				require.NoError(t, store.(*followedMemory).ApplyPartial(t.Context(), []core.Collection{changes}))
				synctest.Wait()
				if name == "wrapper" {
					require.Len(t, written.steps, 1)
					require.Len(t, written.steps[0], keys)
					return
				}
				require.Len(t, written.steps, keys)
				for i, step := range written.steps {
					require.Equal(t, []string{fmt.Sprintf("f%02d", keys-1-i)}, step)
				}
			})
		})
	}
}

// recorder is a store that knows in which steps it was changed after its Init.
type recorder struct {
	*memorystore.Store
	steps [][]string // the keys of each; belongs to the one writer
}

func (r *recorder) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	r.steps = append(r.steps, []string{key})
	return r.Store.Upsert(ctx, kind, key, item)
}

func (r *recorder) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	var keys []string
	for _, change := range changes {
		keys = append(keys, change.Key)
	}
	r.steps = append(r.steps, keys)
	return r.Store.ApplyChangeSet(ctx, changes)
}
