package caching_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestCachingStoreWrapper_Outage_ChecksGrowRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.WithRandom(caching.Options{}, func() float64 { return 0 }))
		r.store.fail(errors.New("cable cut"))
		_, _, err := r.wrapper.Get(t.Context(), core.Flags, "a")
		require.Error(t, err)
		var checks atomic.Int64
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "CheckAvailability" {
				checks.Add(1)
			}
			return errors.New("cable cut")
		})
		time.Sleep(10 * time.Second)
		early := checks.Load()
		require.Greater(t, early, int64(5))
		time.Sleep(10 * time.Minute)
		require.InDelta(t, 300, checks.Load()-early, 10, "every 2 s")
	})
}

func TestCachingStoreWrapper_Outage_WithoutAvailabilityChecker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &troubled{Store: memorystore.New(nil, nil)}
		w, err := caching.NewCachingStoreWrapper(bare{store}, &caching.Options{Logger: quiet})
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Close()) }()
		store.fail(errors.New("cable cut"))
		_, _, err = w.Get(t.Context(), core.Flags, "a")
		require.Error(t, err)
		time.Sleep(time.Minute)
		require.Equal(t, unavailable, stateOf(w.Status()))
		store.fail(nil)
		time.Sleep(time.Minute)
		require.Equal(t, available, stateOf(w.Status()))
		require.True(t, w.MonitoringEnabled())
	})
}

func TestCachingStoreWrapper_Outage_HangingDatabaseIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Off()})
		r.store.hang()
		waited := elapsed(func() {
			_, _, err := r.wrapper.Get(t.Context(), core.Flags, "a")
			require.ErrorIs(t, err, core.ErrUnavailable)
			require.ErrorContains(t, err, "no answer from the database within 2s")
		})
		require.Equal(t, 2*time.Second, waited)
		time.Sleep(time.Second)
		r.requireStatus(false, false)
	})
}

// A new outage after a long time of health is checked as often as the first was.
func TestCachingStoreWrapper_Outage_ChecksBeginOftenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		outage := func(lasts time.Duration) (recovery time.Duration) {
			r.store.fail(errors.New("cable cut"))
			_, _, err := r.wrapper.Get(t.Context(), core.Flags, "unknown")
			require.Error(t, err)
			time.Sleep(lasts)
			r.store.fail(nil)
			return elapsed(func() {
				for !r.wrapper.Status().Available {
					time.Sleep(time.Millisecond)
				}
			})
		}
		outage(10 * time.Minute)
		time.Sleep(time.Minute)
		require.Less(t, outage(time.Millisecond), 300*time.Millisecond)
	})
}

// In Forever mode evaluations do not ask an uninitialised database again; the regular check finds out.
func TestCachingStoreWrapper_Initialized_ForeverAsksAtRegularChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		ask := func() bool {
			initialized, err := r.wrapper.Initialized(t.Context())
			require.NoError(t, err)
			return initialized
		}
		require.False(t, ask())
		r.otherInit(1, "a")
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			require.False(t, ask())
		}
		require.EqualValues(t, 1, r.store.checks.Load())
		time.Sleep(caching.DefaultCheckInterval)
		require.True(t, ask())
		require.Equal(t, 1, r.version("a"))
	})
}
