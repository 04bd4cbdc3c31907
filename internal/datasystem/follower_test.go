package datasystem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
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

// line is the connection to a database, which may be cut.
type line struct {
	*memorystore.Store

	mu    sync.Mutex // guards what follows
	fault func(ctx context.Context, operation string) error
}

func (l *line) set(fault func(ctx context.Context, operation string) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = fault
}

func (l *line) err(ctx context.Context, operation string) error {
	l.mu.Lock()
	fault := l.fault
	l.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(ctx, operation)
}

func cut(context.Context, string) error { return errors.New("cable cut") }

func hang(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func (l *line) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := l.err(ctx, "Init"); err != nil {
		return err
	}
	return l.Store.Init(ctx, data)
}

func (l *line) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	if err := l.err(ctx, "Upsert"); err != nil {
		return core.UpsertResult{}, err
	}
	return l.Store.Upsert(ctx, kind, key, item)
}

func (l *line) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if err := l.err(ctx, "Get"); err != nil {
		return core.SerializedItem{}, false, err
	}
	return l.Store.Get(ctx, kind, key)
}

func (l *line) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := l.err(ctx, "GetAll"); err != nil {
		return nil, err
	}
	return l.Store.GetAll(ctx, kind)
}

func (l *line) Initialized(ctx context.Context) (bool, error) {
	if err := l.err(ctx, "Initialized"); err != nil {
		return false, err
	}
	return l.Store.Initialized(ctx)
}

func (l *line) CheckAvailability(ctx context.Context) error { return l.err(ctx, "CheckAvailability") }

// followed is memory that a database follows.
type followed struct {
	t     *testing.T
	store core.FeatureStore
	sink  *Sink
	line  *line
	db    *memorystore.Store // past the line
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
				f := &followed{t: t, line: &line{Store: memorystore.New(db, nil)}, db: memorystore.New(db, nil), raw: db}
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
			f.line.set(cut)
			f.apply(partSet, fmt.Sprintf("a:%d", a))
			f.apply(partSet, "b:2-")
			require.Equal(f.t, fmt.Sprintf("a:%d", a), f.memory(), "at once")
			before := f.database()
			time.Sleep(time.Second)
			require.Equal(f.t, before, f.database())
			f.ghost()
			time.Sleep(time.Duration(1+30*round) * time.Second)
			f.line.set(nil)
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
		f.line.set(cut)
		f.apply(partSet, "a:2 b:2-")
		time.Sleep(2 * time.Second)
		tried := make(chan struct{}, 100)
		f.line.set(func(_ context.Context, operation string) error {
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
		f.line.set(nil)
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
		f.line.set(func(_ context.Context, operation string) error {
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
		f.line.set(hang)
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
