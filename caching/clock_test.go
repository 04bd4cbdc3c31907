package caching_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
)

// A clock that is set back does not make items live longer.
func TestPromise4_ClockSetBackProlongsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shift atomic.Int64
		r := newRig(t, caching.WithNow(caching.Options{Mode: caching.TTL(10 * time.Second)}, func() time.Time {
			return time.Now().Add(time.Duration(shift.Load()))
		}))
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		shift.Store(-int64(time.Hour))
		time.Sleep(time.Second)
		r.write("a", 2)
		time.Sleep(10 * time.Second)
		require.Equal(t, 2, r.version("a"))
	})
}

func TestPromise4_TTLIsNeverExceeded(t *testing.T) {
	const ttl = 10 * time.Second
	for _, random := range []float64{0, 0.5, 0.999} {
		t.Run(fmt.Sprint(random), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.WithRandom(caching.Options{Mode: caching.TTL(ttl)}, func() float64 { return random }))
				r.write("a", 1)
				time.Sleep(ttl / 100) // not in step with the clock's ticks
				require.Equal(t, 1, r.version("a"))
				r.write("a", 2)
				time.Sleep(ttl / 2)
				require.Equal(t, 1, r.version("a"))
				time.Sleep(ttl / 2)
				require.Equal(t, 2, r.version("a"))
			})
		})
	}
}

// Time that passed while the process was frozen counts: the wall clock has moved, the timers have not.
func TestPromise4_FrozenProcessExpiresWhenItThaws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var frozen time.Duration
		r := newRig(t, caching.WithNow(caching.Options{Mode: caching.TTL(time.Minute)}, func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(frozen)
		}))
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		r.write("a", 2)
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, r.version("a"))
		mu.Lock()
		frozen = time.Hour
		mu.Unlock()
		time.Sleep(time.Second) // one tick
		synctest.Wait()
		require.Equal(t, 2, r.version("a"))
	})
}

// What an Init brings lives from when the database has it: until then memory alone counts.
func TestPromise4_LifetimeOfAnInit_BeginsWhenItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), InitTimeout: time.Minute})
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "Init" {
				time.Sleep(8 * time.Second)
			}
			return nil
		})
		r.init(1, "a") // returns after ReadTimeout
		time.Sleep(8 * time.Second)
		require.Equal(t, 1, r.inDatabase("a"))
		r.write("a", 2)
		time.Sleep(5 * time.Second)
		require.Equal(t, 1, r.version("a"))
		require.Equal(t, map[string]int{"a": 1}, r.all())
		time.Sleep(5 * time.Second)
		require.Equal(t, 2, r.version("a"))
		require.Equal(t, map[string]int{"a": 2}, r.all())
	})
}
