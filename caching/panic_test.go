package caching_test

import (
	"context"
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
				require.ErrorContains(t, err, "panic_test.go", "the stack says where")
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
