package caching_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// Promise 1. Throughput on several cores is shown by BenchmarkCachingStoreWrapper_Get.
func TestPromise1_FreshReadsAreFree(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Hour), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, caching.Options{Mode: mode})
			r.init(1, "a", "deleted")
			_, err := r.wrapper.Upsert(t.Context(), core.Flags, "deleted", core.NewTombstone(core.Flags, "deleted", 2))
			require.NoError(t, err)
			for key, found := range map[string]bool{"a": true, "deleted": false, "unknown": false} {
				_, _, err := r.wrapper.Get(t.Context(), core.Flags, key)
				require.NoError(t, err)
				asked := r.store.gets.Load()
				allocs := testing.AllocsPerRun(1000, func() {
					if _, ok, err := r.wrapper.Get(t.Context(), core.Flags, key); ok != found || err != nil {
						t.Errorf("Get(%q) = %v, %v", key, ok, err)
					}
				})
				require.Zero(t, allocs, "allocations for %q", key)
				require.Equal(t, asked, r.store.gets.Load(), "the database was asked for %q", key)
			}
		})
	}
}

// Promise 2.
func TestPromise2_OneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		r.write("a", 7)
		goOn := make(chan struct{})
		r.store.set(func(context.Context, string) error {
			<-goOn
			return nil
		})
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				item, found, err := r.wrapper.Get(t.Context(), core.Flags, "a")
				if err != nil || !found || item.Version() != 7 {
					t.Errorf("Get = %v, %v, %v", item, found, err)
				}
			})
		}
		synctest.Wait()

		impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		waited := elapsed(func() {
			_, _, err := r.wrapper.Get(impatient, core.Flags, "a")
			require.Equal(t, context.DeadlineExceeded, err)
		})
		require.Equal(t, 10*time.Millisecond, waited)

		close(goOn)
		callers.Wait()
		require.EqualValues(t, 1, r.store.gets.Load())
		r.requireStatus(true, false)
	})
}

// The first caller is the one whose context began the load.
func TestPromise2_OneLoad_FirstCallerLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		r.write("a", 7)
		goOn := make(chan struct{})
		r.store.set(func(ctx context.Context, _ string) error {
			select {
			case <-goOn:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, _, err := r.wrapper.Get(ctx, core.Flags, "a")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("first caller: %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			if _, found, err := r.wrapper.Get(t.Context(), core.Flags, "a"); !found || err != nil {
				t.Errorf("second caller: %v, %v", found, err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(goOn)
		callers.Wait()
		require.EqualValues(t, 1, r.store.gets.Load())
	})
}

// Promise 3: the database is read, then the flag is upserted, and only then the read returns.
func TestPromise3_NeverBackwards(t *testing.T) {
	for name, read := range map[string]func(r *rig) error{
		"Get": func(r *rig) error {
			_, _, err := r.wrapper.Get(r.t.Context(), core.Flags, "a")
			return err
		},
		"All": func(r *rig) error {
			_, err := r.wrapper.All(r.t.Context(), core.Flags)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: caching.TTL(time.Minute)})
				r.write("a", 1)
				goOn := make(chan struct{})
				r.store.setAfter(func(operation string) {
					if operation == "Get" || operation == "GetAll" {
						<-goOn
					}
				})
				var reader sync.WaitGroup
				reader.Go(func() {
					if err := read(r); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				r.upsert("a", 2)
				require.Equal(t, 2, r.version("a"), "right after the upsert")
				close(goOn)
				reader.Wait()
				require.Equal(t, 2, r.version("a"), "after the older read ended")
				require.Equal(t, map[string]int{"a": 2}, r.all())
			})
		})
	}
}

func TestPromise3_NeverBackwards_UpsertsThatOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		goOn := make(chan struct{})
		r.store.setAfter(func(string) { <-goOn })
		var slow sync.WaitGroup
		slow.Go(func() {
			if _, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		r.store.setAfter(nil)
		r.upsert("a", 3)
		close(goOn)
		slow.Wait()
		require.Equal(t, 3, r.version("a"))
	})
}

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
