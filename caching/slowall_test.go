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

// A kind that takes too long to be read as a whole says nothing about single reads, which go on.
func TestCachingStoreWrapper_All_TooSlow_IsNoOutage(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second)} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.write("a", 1)
				r.store.set(func(ctx context.Context, operation string) error {
					if operation == "GetAll" {
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				})
				var told steps
				defer r.wrapper.AddListener(told.add)()
				for range 3 {
					_, err := r.wrapper.All(t.Context(), core.Flags)
					require.ErrorIs(t, err, core.ErrUnavailable)
					require.ErrorContains(t, err, "10s")
					_, found, err := r.wrapper.Get(t.Context(), core.Flags, "never read")
					require.NoError(t, err)
					require.False(t, found)
					require.Equal(t, 1, r.version("a"))
				}
				require.Empty(t, told.all())
			})
		})
	}
}

// If it is the database that hangs, the monitor finds out.
func TestCachingStoreWrapper_All_DatabaseHangs_IsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		r.store.hang()
		_, err := r.wrapper.All(t.Context(), core.Flags)
		require.ErrorIs(t, err, core.ErrUnavailable)
		time.Sleep(caching.DefaultReadTimeout)
		synctest.Wait()
		r.requireStatus(false, false)
	})
}
