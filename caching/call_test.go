package caching_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// A bug of an adapter is a failed call, not the end of the process.
func TestCachingStoreWrapper_StorePanics_IsAFailedCall(t *testing.T) {
	for name, operation := range map[string]func(context.Context, *caching.CachingStoreWrapper) error{
		"Get": func(ctx context.Context, w *caching.CachingStoreWrapper) error {
			_, _, err := w.Get(ctx, core.Flags, "a")
			return err
		},
		"GetAll": func(ctx context.Context, w *caching.CachingStoreWrapper) error {
			_, err := w.All(ctx, core.Flags)
			return err
		},
		"Upsert": func(ctx context.Context, w *caching.CachingStoreWrapper) error {
			_, err := w.Upsert(ctx, core.Flags, "a", flag("a", 1))
			return err
		},
		"Init": func(ctx context.Context, w *caching.CachingStoreWrapper) error { return w.Init(ctx, flags(1, "a")) },
		"Initialized": func(ctx context.Context, w *caching.CachingStoreWrapper) error {
			_, err := w.Initialized(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{})
				r.store.set(func(_ context.Context, running string) error {
					if running == name {
						panic("a bug of the adapter")
					}
					return nil
				})
				err := operation(t.Context(), r.wrapper)
				require.ErrorIs(t, err, core.ErrUnavailable)
				require.ErrorContains(t, err, "a bug of the adapter")
				require.ErrorContains(t, err, "call_test.go", "the stack says where")
				time.Sleep(100 * time.Millisecond)
				writes := name == "Upsert" || name == "Init"
				r.requireStatus(!writes, false)
				r.store.set(nil)
				time.Sleep(time.Minute)
				require.True(t, r.wrapper.Status().Available)
			})
		})
	}
}

func TestCachingStoreWrapper_LateFailureIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second), ReadTimeout: 10 * time.Second})
		r.store.hang()
		var slow sync.WaitGroup
		slow.Go(func() {
			if _, _, err := r.wrapper.Get(t.Context(), core.Flags, "slow"); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("slow: %v", err)
			}
		})
		synctest.Wait()
		r.store.fail(errors.New("cable cut"))
		_, _, err := r.wrapper.Get(t.Context(), core.Flags, "quick")
		require.ErrorContains(t, err, "cable cut")
		slow.Wait()
		r.store.fail(nil)
		time.Sleep(5 * time.Second)
		r.requireStatus(true, false)
		time.Sleep(4500 * time.Millisecond)
		var told steps
		defer r.wrapper.AddListener(told.add)()
		time.Sleep(time.Second)
		require.Empty(t, told.all())
	})
}

// A store that two clients share by mistake is closed by the first one of them that is.
func TestCachingStoreWrapper_StoreClosedElsewhere_IsAnOutage(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(1, "a")
				require.NoError(t, r.store.Close())
				time.Sleep(time.Minute)
				r.requireStatus(false, false)
				_, _, err := r.wrapper.Get(t.Context(), "other", "never read")
				require.ErrorIs(t, err, core.ErrUnavailable)
				require.ErrorContains(t, err, "closed by another owner")
				require.NotErrorIs(t, err, core.ErrClosed)
				if mode != caching.Off() {
					require.Equal(t, 1, r.version("a"))
				}
			})
		})
	}
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

func TestCachingStoreWrapper_BadAdapter_IgnoresItsContext(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		release := make(chan struct{})
		r := requireOnlyItselfHurt(t, mode, func(context.Context) error { <-release; return nil })
		require.LessOrEqual(t, r.adapter.most.Load(), int64(64), "calls that are left behind")
		require.Equal(t, closeLimit, elapsed(func() { require.NoError(t, r.wrapper.Close()) }))
		close(release)
	})
}
