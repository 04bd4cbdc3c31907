package caching_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// troubled is a memorystore that a test can make fail or hang, and that counts what it is asked.
type troubled struct {
	*memorystore.Store
	gets, getAlls, inits, upserts, checks atomic.Int64

	byKind atomic.Bool // changes are reported of kinds and not of items

	mu sync.Mutex
	// before is run at the beginning of every operation, and may return an error instead of it.
	before func(ctx context.Context, operation string) error
	// after is run when an operation has been done and before it returns.
	after func(operation string)
}

func (t *troubled) set(before func(ctx context.Context, operation string) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.before = before
}

func (t *troubled) setAfter(after func(operation string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.after = after
}

// fail makes every operation return err from now on; nil makes them work again.
func (t *troubled) fail(err error) {
	if err == nil {
		t.set(nil)
		return
	}
	t.set(func(context.Context, string) error { return err })
}

// failWrites makes Init and Upsert return err from now on.
func (t *troubled) failWrites(err error) {
	t.set(func(_ context.Context, operation string) error {
		if operation == "Init" || operation == "Upsert" {
			return err
		}
		return nil
	})
}

// hang makes every operation wait for the end of its context from now on.
func (t *troubled) hang() {
	t.set(func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	})
}

func (t *troubled) begin(ctx context.Context, operation string) (end func(), err error) {
	t.mu.Lock()
	before, after := t.before, t.after
	t.mu.Unlock()
	if before != nil {
		if err := before(ctx, operation); err != nil {
			return nil, err
		}
	}
	return func() {
		if after != nil {
			after(operation)
		}
	}, nil
}

func (t *troubled) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	t.gets.Add(1)
	end, err := t.begin(ctx, "Get")
	if err != nil {
		return core.SerializedItem{}, false, err
	}
	defer end()
	return t.Store.Get(ctx, kind, key)
}

// GetItems counts as a get of each item.
func (t *troubled) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	t.gets.Add(int64(len(keys)))
	end, err := t.begin(ctx, "GetItems")
	if err != nil {
		return nil, err
	}
	defer end()
	return t.Store.GetItems(ctx, kind, keys)
}

func (t *troubled) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	t.getAlls.Add(1)
	end, err := t.begin(ctx, "GetAll")
	if err != nil {
		return nil, err
	}
	defer end()
	return t.Store.GetAll(ctx, kind)
}

func (t *troubled) Init(ctx context.Context, data []core.SerializedCollection) error {
	t.inits.Add(1)
	end, err := t.begin(ctx, "Init")
	if err != nil {
		return err
	}
	defer end()
	return t.Store.Init(ctx, data)
}

func (t *troubled) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	t.upserts.Add(1)
	end, err := t.begin(ctx, "Upsert")
	if err != nil {
		return core.UpsertResult{}, err
	}
	defer end()
	return t.Store.Upsert(ctx, kind, key, item)
}

func (t *troubled) Initialized(ctx context.Context) (bool, error) {
	t.checks.Add(1)
	end, err := t.begin(ctx, "Initialized")
	if err != nil {
		return false, err
	}
	defer end()
	return t.Store.Initialized(ctx)
}

func (t *troubled) CheckAvailability(ctx context.Context) error {
	end, err := t.begin(ctx, "CheckAvailability")
	if err != nil {
		return err
	}
	defer end()
	return t.Store.CheckAvailability(ctx)
}

func (t *troubled) Watch(ctx context.Context, changed func(core.Change)) error {
	return t.Store.Watch(ctx, func(change core.Change) {
		if t.byKind.Load() {
			change.Key = ""
		}
		changed(change)
	})
}

// rig is a wrapper over a troubled store.
type rig struct {
	t       *testing.T
	db      *memorystore.Database
	store   *troubled
	wrapper *caching.CachingStoreWrapper
	other   *memorystore.Store // another process
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// newRig makes a rig whose wrapper learns of what others write only when cached items expire.
func newRig(t *testing.T, opts caching.Options) *rig {
	t.Helper()
	return newRigWatching(t, opts, false)
}

func newRigWatching(t *testing.T, opts caching.Options, watched bool) *rig {
	t.Helper()
	return newRigOn(t, &memorystore.Database{}, opts, watched)
}

// newRigOn makes a rig on a database that others may use too.
func newRigOn(t *testing.T, db *memorystore.Database, opts caching.Options, watched bool) *rig {
	t.Helper()
	r := &rig{t: t, db: db, store: &troubled{Store: memorystore.New(db, nil)}, other: memorystore.New(db, nil)}
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	opts.DisableWatch = !watched
	wrapper, err := caching.NewCachingStoreWrapper(r.store, &opts)
	require.NoError(t, err)
	r.wrapper = wrapper
	t.Cleanup(func() {
		require.NoError(t, wrapper.Close())
		require.NoError(t, r.other.Close())
	})
	return r
}

func flag(key string, version int) *core.Item {
	item, err := core.ParseItem(fmt.Appendf(nil, `{"key":%q,"version":%d,"on":false,"future":"kept"}`, key, version))
	if err != nil {
		panic(err)
	}
	return item
}

func flags(version int, keys ...string) []core.Collection {
	items := make([]core.KeyedItem, len(keys))
	for i, key := range keys {
		items[i] = core.KeyedItem{Key: key, Item: flag(key, version)}
	}
	return []core.Collection{{Kind: core.Flags, Items: items}}
}

// serialized is flags as another process writes them.
func serialized(version int, keys ...string) []core.SerializedCollection {
	items := make([]core.KeyedSerializedItem, len(keys))
	for i, key := range keys {
		items[i] = core.KeyedSerializedItem{Key: key, Item: flag(key, version).Serialized(core.Flags, key)}
	}
	return []core.SerializedCollection{{Kind: core.Flags, Items: items}}
}

func (r *rig) init(version int, keys ...string) {
	r.t.Helper()
	require.NoError(r.t, r.wrapper.Init(r.t.Context(), flags(version, keys...)))
}

// version returns the version of the flag as the wrapper has it; -1 if there is none.
func (r *rig) version(key string) int {
	r.t.Helper()
	item, found, err := r.wrapper.Get(r.t.Context(), core.Flags, key)
	require.NoError(r.t, err)
	if !found {
		return -1
	}
	return item.Version()
}

// inDatabase returns the version of the flag as the database has it; -1 if there is none.
func (r *rig) inDatabase(key string) int {
	r.t.Helper()
	serialized, found, err := r.other.Get(r.t.Context(), core.Flags, key)
	require.NoError(r.t, err)
	if !found {
		return -1
	}
	item, err := serialized.Parse(core.Flags, key)
	require.NoError(r.t, err)
	return item.Version()
}

// write upserts a flag as another process would.
func (r *rig) write(key string, version int) {
	r.t.Helper()
	_, err := r.other.Upsert(r.t.Context(), core.Flags, key, flag(key, version).Serialized(core.Flags, key))
	require.NoError(r.t, err)
}

func (r *rig) upsert(key string, version int) {
	r.t.Helper()
	_, err := r.wrapper.Upsert(r.t.Context(), core.Flags, key, flag(key, version))
	require.NoError(r.t, err)
}

// keys returns the keys that All returns.
func (r *rig) all() map[string]int {
	r.t.Helper()
	items, err := r.wrapper.All(r.t.Context(), core.Flags)
	require.NoError(r.t, err)
	versions := make(map[string]int, len(items))
	for key, item := range items {
		versions[key] = item.Version()
	}
	return versions
}

func (r *rig) requireStatus(available, stale bool) {
	r.t.Helper()
	require.Equal(r.t, core.DataStoreStatus{Available: available, Stale: stale}, r.status())
}

// status returns what the wrapper's status is, without since when and why.
func (r *rig) status() core.DataStoreStatus { return stateOf(r.wrapper.Status()) }

func stateOf(status core.DataStoreStatus) core.DataStoreStatus {
	return core.DataStoreStatus{Available: status.Available, Stale: status.Stale}
}

// steps collects what a listener is told.
type steps struct {
	mu    sync.Mutex
	taken []core.DataStoreStatus
}

func (s *steps) add(status core.DataStoreStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, stateOf(status))
}

func (s *steps) all() []core.DataStoreStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]core.DataStoreStatus(nil), s.taken...)
}

var (
	unavailable = core.DataStoreStatus{}
	available   = core.DataStoreStatus{Available: true}
	stale       = core.DataStoreStatus{Available: true, Stale: true}
)

// elapsed returns how long f took.
func elapsed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
