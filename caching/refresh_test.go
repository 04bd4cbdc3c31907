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

// Promise 4.
func TestPromise4_HotKeysDontWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), CheckInterval: time.Hour})
		r.write("hot", 1)
		r.write("cold", 1)
		require.Equal(t, 1, r.version("hot"))
		require.Equal(t, 1, r.version("cold"))
		r.store.set(func(context.Context, string) error {
			time.Sleep(50 * time.Millisecond) // what a caller would feel who waits for the database
			return nil
		})
		for range 100 {
			time.Sleep(time.Second)
			waited := elapsed(func() { r.version("hot") })
			require.Zero(t, waited, "a read of a key in use waited")
		}
		loads := r.store.gets.Load()
		require.Greater(t, loads, int64(9), "the key was not kept fresh")
		require.Less(t, loads, int64(20), "the key was read more often than needed")

		require.NotZero(t, elapsed(func() { r.version("cold") }), "a key not in use was kept fresh")
	})
}

func TestPromise4_HotKeysDontWait_All(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second)})
		r.write("a", 1)
		r.all()
		r.store.set(func(context.Context, string) error {
			time.Sleep(50 * time.Millisecond)
			return nil
		})
		for range 50 {
			time.Sleep(time.Second)
			require.Zero(t, elapsed(func() { r.all() }))
		}
	})
}

// Many keys that are due at once are read as a whole.
func TestPromise4_HotKeysDontWait_ManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.WithRandom(caching.Options{Mode: caching.TTL(10 * time.Second), CheckInterval: time.Hour}, func() float64 { return 0 }))
		keys := make([]string, 1000)
		for i := range keys {
			keys[i] = fmt.Sprint("flag-", i)
		}
		r.init(1, keys...)
		for range 30 {
			for _, key := range keys {
				require.Equal(t, 1, r.version(key))
			}
			time.Sleep(time.Second)
		}
		require.Zero(t, r.store.gets.Load())
		require.Less(t, r.store.getAlls.Load(), int64(6))
	})
}

// Promise 4, with a database that takes long but no longer than it may.
func TestPromise4_KnownBeatsWaiting_SlowDatabase(t *testing.T) {
	for _, n := range []int{1, 8, 20, 63, 100} {
		for _, latency := range []time.Duration{400 * time.Millisecond, 1400 * time.Millisecond, 1900 * time.Millisecond} {
			t.Run(fmt.Sprint(n, " keys, ", latency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{})
					keys := r.filledByAnother(n)
					r.store.takes(latency, latency)
					r.use(keys, caching.DefaultTTL)
					require.LessOrEqual(t, r.use(keys, 10*caching.DefaultTTL), 50*time.Millisecond, "a read of a known key waited longer")
					r.requireStatus(true, false)
				})
			})
		}
	}
}

// Promise 5: a refresh during which the database fails asks it no more.
func TestPromise5_OutageEndsRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.WithRandom(caching.Options{CheckInterval: time.Hour}, func() float64 { return 0 }))
		keys := r.filledByAnother(2000)
		r.use(keys, time.Second)
		var asked atomic.Int64 // how often the database was asked for items
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "Get" || operation == "GetItems" {
				asked.Add(1)
			}
			return errors.New("cable cut")
		})
		time.Sleep(caching.DefaultTTL)
		r.requireStatus(false, false)
		require.Positive(t, asked.Load())
		require.LessOrEqual(t, asked.Load(), int64(20))
	})
}

func TestCachingStoreWrapper_Outage_KeysInUseAreNotRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		r.init(1, "a")
		r.store.fail(errors.New("cable cut"))
		for r.wrapper.Status().Available {
			r.version("a")
			time.Sleep(100 * time.Millisecond)
		}
		asked := r.store.gets.Load() + r.store.getAlls.Load()
		for range 100 {
			require.Equal(t, 1, r.version("a"))
			require.Len(t, r.all(), 1)
			time.Sleep(100 * time.Millisecond)
		}
		require.Equal(t, asked, r.store.gets.Load()+r.store.getAlls.Load())
	})
}

// A process that has read some items of many does not read all of them when many of those fall due.
func TestPromise9_ManyDueOfFew_AreNotReadAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.WithRandom(caching.Options{}, func() float64 { return 0 }))
		keys := r.filledByAnother(200)
		r.use(keys, 4*caching.DefaultTTL)
		require.Zero(t, r.store.getAlls.Load())
		require.GreaterOrEqual(t, r.store.gets.Load(), int64(4*len(keys)), "they were refreshed")
	})
}

// What is read again unchanged stays the item that may have been decoded.
func TestCachingStoreWrapper_RefreshKeepsTheDecodedItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		r.write("a", 1)
		first, _, err := r.wrapper.Get(t.Context(), core.Flags, "a")
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		second, _, err := r.wrapper.Get(t.Context(), core.Flags, "a")
		require.NoError(t, err)
		require.EqualValues(t, 2, r.store.gets.Load())
		require.Same(t, first, second)
	})
}

// What expired in an outage is not read again at once when the database is back, but over a time to live.
func TestPromise5_OutageCostsNoLatency_ReadsAreSpreadAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, ttl = 200, 15 * time.Second
		r := newRig(t, caching.Options{Mode: caching.TTL(ttl)})
		keys := r.filledByAnother(n)
		r.store.fail(core.ErrUnavailable)
		r.use(keys, time.Minute)
		r.store.fail(nil)
		for !r.wrapper.Status().Available {
			r.use(keys, 100*time.Millisecond)
		}
		reads := func() int64 { return r.store.gets.Load() + n*r.store.getAlls.Load() }
		before := reads()
		r.use(keys, time.Second)
		require.Less(t, reads()-before, int64(n/4), "in the first second")
		r.use(keys, ttl)
		require.GreaterOrEqual(t, reads()-before, int64(n), "within the time to live")
	})
}
