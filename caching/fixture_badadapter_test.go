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

// countingHandler counts what is logged, and runs something each time it is asked whether to log.
type countingHandler struct {
	lines atomic.Int64
	asked atomic.Pointer[func()]
}

func (h *countingHandler) Enabled(context.Context, slog.Level) bool {
	if asked := h.asked.Load(); asked != nil {
		(*asked)()
	}
	return true
}

func (h *countingHandler) Handle(context.Context, slog.Record) error {
	h.lines.Add(1)
	return nil
}

func (h *countingHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *countingHandler) WithGroup(string) slog.Handler { return h }
