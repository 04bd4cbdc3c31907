package caching_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// badAdapter is a memorystore with a bug that shows when the item "bad" is read or written, or all items of the kind "bad" are read.
type badAdapter struct {
	*memorystore.Store
	bug   func(ctx context.Context) error
	watch func(ctx context.Context, changed func(core.Change)) error // instead of the memorystore's, if it is not nil

	calls, running, most atomic.Int64 // of the bug
}

func (b *badAdapter) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if key == "bad" {
		if err := b.hitBug(ctx); err != nil {
			return core.SerializedItem{}, false, err
		}
	}
	return b.Store.Get(ctx, kind, key)
}

func (b *badAdapter) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if kind == "bad" {
		if err := b.hitBug(ctx); err != nil {
			return nil, err
		}
	}
	return b.Store.GetAll(ctx, kind)
}

func (b *badAdapter) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	if key == "bad" {
		if err := b.hitBug(ctx); err != nil {
			return core.UpsertResult{}, err
		}
	}
	return b.Store.Upsert(ctx, kind, key, item)
}

func (b *badAdapter) hitBug(ctx context.Context) error {
	b.calls.Add(1)
	now := b.running.Add(1)
	defer b.running.Add(-1)
	for most := b.most.Load(); now > most && !b.most.CompareAndSwap(most, now); most = b.most.Load() {
	}
	return b.bug(ctx)
}

func (b *badAdapter) Watch(ctx context.Context, changed func(core.Change)) error {
	if b.watch == nil {
		return b.Store.Watch(ctx, changed)
	}
	return b.watch(ctx, changed)
}

// badRig is a wrapper over a bad adapter.
type badRig struct {
	*rig
	adapter *badAdapter
	log     *countingHandler
	told    steps
}

func newBadRig(t *testing.T, mode caching.Mode, adapter *badAdapter) *badRig {
	t.Helper()
	db := &memorystore.Database{}
	adapter.Store = memorystore.New(db, nil)
	r := &badRig{adapter: adapter, log: &countingHandler{}}
	wrapper, err := caching.NewCachingStoreWrapper(adapter, &caching.Options{Mode: mode, Logger: slog.New(r.log)})
	require.NoError(t, err)
	r.rig = &rig{t: t, db: db, wrapper: wrapper, other: memorystore.New(db, nil)}
	wrapper.AddListener(r.told.add)
	r.init(1, "good")
	synctest.Wait()
	t.Cleanup(func() {
		require.NoError(t, wrapper.Close())
		require.NoError(t, r.other.Close())
	})
	return r
}

// requireOthersGoOn expects that another key and another kind are read and written, for a minute, without waiting.
func (r *badRig) requireOthersGoOn() {
	r.t.Helper()
	for version := 2; version < 602; version++ {
		require.Zero(r.t, elapsed(func() {
			r.upsert("good", version)
			_, err := r.wrapper.Upsert(r.t.Context(), core.Segments, "s", flag("s", version))
			require.NoError(r.t, err)
			require.Equal(r.t, version, r.version("good"))
			require.Equal(r.t, version, r.all()["good"])
			segments, err := r.wrapper.All(r.t.Context(), core.Segments)
			require.NoError(r.t, err)
			require.Equal(r.t, version, segments["s"].Version())
			require.Equal(r.t, version, r.inDatabase("good"))
		}))
		time.Sleep(100 * time.Millisecond)
	}
	require.Empty(r.t, r.told.all(), "the status")
	r.requireStatus(true, false)
}

// callBad calls what has the bug again and again, by ten callers at once, until ctx ends. No caller waits longer than the limits say.
func (r *badRig) callBad(ctx context.Context) {
	const grace = 20 * time.Millisecond
	var callers sync.WaitGroup
	for range 10 {
		for limit, call := range map[time.Duration]func() error{
			caching.DefaultReadTimeout:    func() error { _, _, err := r.wrapper.Get(context.Background(), "other", "bad"); return err },
			caching.DefaultReadAllTimeout: func() error { _, err := r.wrapper.All(context.Background(), "bad"); return err },
		} {
			callers.Go(func() {
				for ctx.Err() == nil {
					var err error
					if took := elapsed(func() { err = call() }); took > limit+grace {
						r.t.Errorf("a caller waited for %v", took)
					}
					if err == nil {
						r.t.Error("no error")
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
	}
	r.t.Cleanup(callers.Wait)
}

func inEachMode(t *testing.T, test func(t *testing.T, mode caching.Mode)) {
	t.Helper()
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second), caching.TTL(caching.DefaultTTL), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, mode) })
		})
	}
}

// requireOnlyItselfHurt expects that an adapter with the bug is of no consequence for anything else.
func requireOnlyItselfHurt(t *testing.T, mode caching.Mode, bug func(context.Context) error) *badRig {
	t.Helper()
	r := newBadRig(t, mode, &badAdapter{bug: bug})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.callBad(ctx)
	r.requireOthersGoOn()
	cancel()
	time.Sleep(caching.DefaultReadAllTimeout + time.Second) // until the callers have left
	require.NotZero(t, r.adapter.calls.Load())
	require.LessOrEqual(t, r.log.lines.Load(), int64(1), "log messages")
	return r
}

func TestCachingStoreWrapper_BadAdapter_Hangs(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		r := requireOnlyItselfHurt(t, mode, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		require.LessOrEqual(t, r.adapter.most.Load(), int64(3), "one call for all callers, and the monitor's")
		require.Zero(t, elapsed(func() { require.NoError(t, r.wrapper.Close()) }))
	})
}

func TestCachingStoreWrapper_BadAdapter_Panics(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		r := requireOnlyItselfHurt(t, mode, func(context.Context) error { panic("a bug of the adapter") })
		require.Zero(t, elapsed(func() { require.NoError(t, r.wrapper.Close()) }))
	})
}

// An item that cannot be written keeps nothing else from the database.
func TestCachingStoreWrapper_BadAdapter_CannotWriteOneItem(t *testing.T) {
	for name, bug := range map[string]func(context.Context) error{
		"panics": func(context.Context) error { panic("a bug of the adapter") },
		"hangs":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.Forever()} {
			t.Run(name+" "+mode.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var mended atomic.Bool
					r := newBadRig(t, mode, &badAdapter{bug: func(ctx context.Context) error {
						if mended.Load() {
							return nil
						}
						return bug(ctx)
					}})
					_, _ = r.wrapper.Upsert(t.Context(), core.Flags, "bad", flag("bad", 1)) // an error only if it has failed by then
					for version := 2; version < 20; version++ {
						_, _ = r.wrapper.Upsert(t.Context(), core.Flags, "good", flag("good", version)) // may say that it is not tried yet
						require.Equal(t, version, r.version("good"))
						time.Sleep(time.Minute + caching.DefaultWriteTimeout)
						require.Equal(t, version, r.inDatabase("good"))
					}
					require.Equal(t, 1, r.version("bad"))
					mended.Store(true)
					time.Sleep(2 * time.Minute)
					require.Equal(t, 1, r.inDatabase("bad"))
					r.requireStatus(true, false)
				})
			})
		}
	}
}

func TestCachingStoreWrapper_BadAdapter_IgnoresItsContext(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		release := make(chan struct{})
		r := requireOnlyItselfHurt(t, mode, func(context.Context) error { <-release; return nil })
		require.LessOrEqual(t, r.adapter.most.Load(), int64(64), "calls that are left behind")
		require.Equal(t, closeLimit, elapsed(func() { require.NoError(t, r.wrapper.Close()) }))
		close(release)
	})
}

// What ends once the wrapper is closed has no effect: nothing is announced, logged or kept, and nothing goes on running.
func TestCachingStoreWrapper_BadAdapter_ReturnsAfterClose(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		release := make(chan struct{})
		adapter := &badAdapter{
			bug: func(context.Context) error { <-release; return nil },
			watch: func(_ context.Context, changed func(core.Change)) error {
				<-release
				for range 1000 {
					changed(core.Change{})
					changed(flagChange("good"))
				}
				return nil
			},
		}
		r := newBadRig(t, mode, adapter)
		var told announced
		r.wrapper.AddChangeListener(told.add)
		r.callBad(t.Context())
		synctest.Wait()
		require.Equal(t, closeLimit, elapsed(func() { require.NoError(t, r.wrapper.Close()) }))
		require.EqualValues(t, 1, r.log.lines.Load(), "what is left behind is logged")
		close(release)
		require.Empty(t, told.take())
		_, _, err := r.wrapper.Get(t.Context(), "other", "bad")
		require.ErrorIs(t, err, core.ErrClosed)
		require.EqualValues(t, 1, r.log.lines.Load())
	})
}

// The item of another flag is no value for this one, be it that the adapter or the database has mixed them up.
func TestCachingStoreWrapper_BadAdapter_AnswersWithAnothersItem(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		log := &countingHandler{}
		r := newRig(t, caching.Options{Mode: mode, Logger: slog.New(log)})
		r.otherInit(1, "b", "good")
		for _, kind := range core.BuiltInKinds() {
			r.db.WriteRaw("", kind, "a", []byte(`{"key":"b","version":9,"on":true}`))
		}
		for version := 2; version < 602; version++ { // a minute
			for _, kind := range core.BuiltInKinds() {
				_, found, err := r.wrapper.Get(t.Context(), kind, "a")
				require.False(t, found)
				require.ErrorIs(t, err, core.ErrCorrupt)
				require.ErrorContains(t, err, `it is the item "b"`)
				items, err := r.wrapper.All(t.Context(), kind)
				require.ErrorIs(t, err, core.ErrCorrupt)
				require.NotContains(t, items, "a")
			}
			require.Equal(t, 1, r.version("b"))
			r.upsert("good", version)
			require.Equal(t, version, r.version("good"))
			require.Equal(t, version, r.inDatabase("good"))
			time.Sleep(100 * time.Millisecond)
		}
		require.EqualValues(t, 2, log.lines.Load(), "one for each")
		r.requireStatus(true, false)
		r.upsert("a", 10)
		require.Equal(t, 10, r.version("a"))
		require.Equal(t, 10, r.inDatabase("a"))
	})
}

// mixedUp is a memorystore that answers each Upsert with the item of another key, which it claims is newer.
type mixedUp struct{ *memorystore.Store }

func (m mixedUp) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	_, err := m.Store.Upsert(ctx, kind, key, item)
	return core.UpsertResult{Item: flag("another", 99).Serialized(kind, "another")}, err
}

func TestCachingStoreWrapper_BadAdapter_AnswersAnUpsertWithAnothersItem(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		log := &countingHandler{}
		w, err := caching.NewCachingStoreWrapper(mixedUp{memorystore.New(nil, nil)}, &caching.Options{Mode: mode, Logger: slog.New(log)})
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Close()) }()
		for version := 1; version < 600; version++ {
			for _, key := range []string{"a", "b"} {
				_, err := w.Upsert(t.Context(), core.Flags, key, flag(key, version))
				require.NoError(t, err)
				item, found, err := w.Get(t.Context(), core.Flags, key)
				require.NoError(t, err)
				require.True(t, found)
				require.Equal(t, version, item.Version())
			}
			time.Sleep(100 * time.Millisecond)
		}
		require.Zero(t, log.lines.Load())
	})
}
