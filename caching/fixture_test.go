package caching_test

import (
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

// filledByAnother makes n keys known that another process wrote.
func (r *rig) filledByAnother(n int) (keys []string) {
	r.t.Helper()
	for i := range n {
		keys = append(keys, fmt.Sprint("flag-", i))
	}
	r.otherInit(1, keys...)
	for _, key := range keys {
		require.Equal(r.t, 1, r.version(key))
	}
	return keys
}

// use reads the keys again and again for the given time, and returns how long a read took at most.
func (r *rig) use(keys []string, period time.Duration) (longest time.Duration) {
	r.t.Helper()
	for start := time.Now(); time.Since(start) < period; time.Sleep(100 * time.Millisecond) {
		for _, key := range keys {
			asked := time.Now()
			if item, _, err := r.wrapper.Get(r.t.Context(), core.Flags, key); err != nil || item.Version() != 1 {
				require.Fail(r.t, "wrong answer", "%v %v", item, err)
			}
			longest = max(longest, time.Since(asked))
		}
	}
	return longest
}

// otherInit is an Init by another process.
func (r *rig) otherInit(version int, keys ...string) {
	r.t.Helper()
	require.NoError(r.t, r.other.Init(r.t.Context(), serialized(version, keys...)))
}

// resendWhenStale does what a data source does: it sends everything again when the store says that it lacks something.
func (r *rig) resendWhenStale(data []core.Collection) (stop func()) {
	var sending atomic.Bool
	return r.wrapper.AddListener(func(status core.DataStoreStatus) {
		if status.Available && status.Stale && sending.CompareAndSwap(false, true) {
			go func() {
				defer sending.Store(false)
				_ = r.wrapper.Init(r.t.Context(), data)
			}()
		}
	})
}

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
