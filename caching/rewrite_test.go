package caching_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// An update of a kind that no Init brought is written as well.
func TestCachingStoreWrapper_Rewrite_WritesUpdatesOfOtherKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		r.store.fail(core.ErrUnavailable)
		_, err := r.wrapper.Upsert(t.Context(), "metrics", "m", flag("m", 2))
		require.ErrorIs(t, err, core.ErrUnavailable)
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		stored, found, err := r.other.Get(t.Context(), "metrics", "m")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, flag("m", 2).JSON(), stored.Data)
	})
}

// A newer version that another process has written stays; a key that memory does not know goes, as with any Init.
func TestCachingStoreWrapper_Rewrite_RemovesWhatMemoryDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a", "b")
		r.store.fail(core.ErrUnavailable)
		time.Sleep(30 * time.Second)
		r.requireStatus(false, false)
		r.write("a", 7)
		r.write("new", 7)
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		require.Equal(t, 7, r.inDatabase("a"))
		require.Equal(t, 1, r.inDatabase("b"))
		require.Equal(t, -1, r.inDatabase("new"))
		require.Equal(t, map[string]int{"a": 7, "b": 1}, r.all())
	})
}

// A kind that cannot be read because it is damaged is mended by the rewrite instead of keeping it from happening.
func TestCachingStoreWrapper_Rewrite_MendsADamagedKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		var mended atomic.Bool
		r.store.set(func(_ context.Context, operation string) error {
			switch {
			case operation == "Init":
				mended.Store(true)
			case !mended.Load() && (operation == "GetAll" || operation == "Upsert"):
				return fmt.Errorf("wrong type: %w", core.ErrCorrupt)
			}
			return nil
		})
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrCorrupt)
		time.Sleep(time.Minute)
		require.True(t, mended.Load())
		r.requireStatus(true, false)
		require.Equal(t, 2, r.inDatabase("a"))
	})
}
