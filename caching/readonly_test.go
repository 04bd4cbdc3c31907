package caching_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// A database that can be read and never be written costs an Init each time that writing is tried again, so that is tried
// ever more rarely, and soon after the database becomes writable at the latest when the longest pause is over.
func TestCachingStoreWrapper_ReadOnlyForGood_WritingIsTriedEverMoreRarely(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(1, "a")
				r.store.failWrites(fmt.Errorf("replica: %w", core.ErrReadOnly))
				stop := r.resendWhenStale(flags(2, "a"))
				defer stop()
				_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
				require.ErrorIs(t, err, core.ErrReadOnly)

				time.Sleep(30 * time.Minute)
				before := r.store.inits.Load()
				time.Sleep(time.Hour)
				tried := r.store.inits.Load() - before
				require.Greater(t, tried, int64(10), "every five minutes")
				require.Less(t, tried, int64(18), "every five minutes")

				r.store.fail(nil)
				time.Sleep(6 * time.Minute)
				r.requireStatus(true, false)
				item, found, err := r.other.Get(t.Context(), core.Flags, "a")
				require.NoError(t, err)
				require.True(t, found)
				require.Equal(t, flag("a", 2).JSON(), item.Data)
			})
		})
	}
}

// A primary that becomes a replica for a moment is written again within seconds.
func TestCachingStoreWrapper_ReadOnlyForAMoment_IsSoonOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		r.init(1, "a")
		r.store.failWrites(fmt.Errorf("replica: %w", core.ErrReadOnly))
		stop := r.resendWhenStale(flags(2, "a"))
		defer stop()
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrReadOnly)
		time.Sleep(5 * time.Second)
		r.store.fail(nil)
		time.Sleep(10 * time.Second)
		r.requireStatus(true, false)
	})
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

// The long pauses are for writing. A failure of reads is looked after as soon as ever.
func TestCachingStoreWrapper_ReadOnlyForGood_OutageOfReadsIsSoonOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		readOnly := fmt.Errorf("replica: %w", core.ErrReadOnly)
		r.store.failWrites(readOnly)
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrReadOnly)
		time.Sleep(30 * time.Minute)
		var checks atomic.Int64
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "CheckAvailability" {
				checks.Add(1)
			}
			return errors.New("cable cut")
		})
		_, _, err = r.wrapper.Get(t.Context(), core.DataKind("other"), "never read")
		require.ErrorContains(t, err, "cable cut")
		time.Sleep(time.Minute)
		before := checks.Load()
		require.Greater(t, before, int64(8), "often at first")
		time.Sleep(time.Minute)
		require.Greater(t, checks.Load(), before+2, "every 15 s")
	})
}
