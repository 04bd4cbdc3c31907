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
			_, err := core.Delete(t.Context(), r.wrapper, core.Flags, "deleted", 2)
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
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second)})
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
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), Random: func() float64 { return 0 }})
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
				r := newRig(t, caching.Options{Mode: caching.TTL(ttl), Random: func() float64 { return random }})
				r.write("a", 1)
				require.Equal(t, 1, r.version("a"))
				r.write("a", 2)
				seen := elapsed(func() {
					for r.version("a") == 1 {
						time.Sleep(ttl / 1000)
					}
				})
				require.LessOrEqual(t, seen, ttl)
				require.Greater(t, seen, ttl/2)
			})
		})
	}
}

// Time that passed while the process was frozen counts: the wall clock has moved, the timers have not.
func TestPromise4_FrozenProcessExpiresWhenItThaws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var frozen time.Duration
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Minute), Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(frozen)
		}})
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

// Promise 5.
func TestPromise5_AnOutageCostsNoLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), ReadTimeout: 2 * time.Second})
		r.init(1, "a", "b")
		r.store.hang()
		time.Sleep(time.Minute) // everything has expired, and the watch over the database has found out

		r.requireStatus(false, false)
		asked := r.store.gets.Load() + r.store.getAlls.Load() + r.store.upserts.Load()
		waited := elapsed(func() {
			require.Equal(t, 1, r.version("a"))
			require.Equal(t, map[string]int{"a": 1, "b": 1}, r.all())
			require.Equal(t, -1, r.version("never heard of"), "everything is known, and this is not among it")
			_, _, err := r.wrapper.Get(t.Context(), core.Segments, "x")
			require.NoError(t, err)
			_, err = r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
			require.ErrorIs(t, err, core.ErrUnavailable)
			require.Equal(t, 2, r.version("a"), "what the data source said last counts")
			initialized, err := r.wrapper.Initialized(t.Context())
			require.NoError(t, err)
			require.True(t, initialized)
		})
		require.Zero(t, waited)
		require.Equal(t, asked, r.store.gets.Load()+r.store.getAlls.Load()+r.store.upserts.Load(), "the database was asked")
	})
}

func TestPromise5_AnOutageCostsNoLatency_FirstFailureReleasesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), ReadTimeout: 2 * time.Second, CheckInterval: time.Hour})
		r.write("early", 1)
		r.write("late", 1)
		require.Equal(t, 1, r.version("early"))
		require.Equal(t, 1, r.version("late"))
		time.Sleep(time.Minute)
		r.store.hang()
		var early sync.WaitGroup
		early.Go(func() {
			if item, found, err := r.wrapper.Get(t.Context(), core.Flags, "early"); !found || err != nil || item.Version() != 1 {
				t.Errorf("Get = %v, %v, %v", item, found, err)
			}
		})
		time.Sleep(1900 * time.Millisecond)
		waited := elapsed(func() { require.Equal(t, 1, r.version("late")) })
		require.Equal(t, 100*time.Millisecond, waited, "waited for its own time-out")
		early.Wait()
		r.requireStatus(false, false)
	})
}

func TestPromise5_MaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), MaxStale: time.Minute})
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		r.store.fail(errors.New("cable cut"))
		time.Sleep(30 * time.Second)
		require.Equal(t, 1, r.version("a"))
		time.Sleep(time.Minute)
		_, _, err := r.wrapper.Get(t.Context(), core.Flags, "a")
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.ErrorContains(t, err, "cable cut")
		_, err = r.wrapper.All(t.Context(), core.Flags)
		require.ErrorIs(t, err, core.ErrUnavailable)
	})
}

// Promise 6 in Forever mode.
func TestPromise6_RecoveryRestoresTheDatabase_Forever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		var told steps
		defer r.wrapper.AddListener(told.add)()
		r.init(1, "a", "b", "c")
		r.store.fail(errors.New("cable cut"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorContains(t, err, "cable cut")
		_, err = core.Delete(t.Context(), r.wrapper, core.Flags, "b", 2)
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.Equal(t, map[string]int{"a": 2, "c": 1}, r.all())
		r.db.Wipe()       // the server comes back empty
		r.write("c", 9)   // and somebody else was quicker
		r.store.fail(nil) // it can be reached again
		time.Sleep(time.Minute)
		synctest.Wait()

		require.Equal(t, []core.DataStoreStatus{unavailable, available}, told.all())
		require.Equal(t, 2, r.inDatabase("a"))
		require.Equal(t, 2, r.inDatabase("b"), "the tombstone")
		require.Equal(t, 9, r.inDatabase("c"), "what is newer stays")
		require.Equal(t, map[string]int{"a": 2, "c": 9}, r.all())
		initialized, err := r.other.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
	})
}

// Promise 6 in the other modes.
func TestPromise6_RecoveryRestoresTheDatabase_StatusSaysStale(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.Off()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				var told steps
				defer r.wrapper.AddListener(told.add)()
				r.init(1, "a")
				r.store.fail(errors.New("cable cut"))
				_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
				require.Error(t, err)
				r.store.fail(nil)
				time.Sleep(time.Minute)
				r.requireStatus(true, true)
				require.EqualValues(t, 1, r.store.inits.Load(), "nothing is written that the data source did not send")

				r.init(2, "a") // the data source sends everything again
				synctest.Wait()
				require.Equal(t, []core.DataStoreStatus{unavailable, stale, available}, told.all())
				require.Equal(t, 2, r.inDatabase("a"))
				require.Equal(t, 2, r.version("a"))
			})
		})
	}
}

// What could not be written is not forgotten because an older version is read.
func TestPromise6_RecoveryRestoresTheDatabase_UnwrittenUpdateStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		r.init(1, "a", "b")
		r.store.fail(errors.New("cable cut"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.Error(t, err)
		r.store.fail(nil)
		r.write("b", 5)
		for range 100 {
			time.Sleep(time.Second)
			require.Equal(t, 2, r.version("a"))
			require.Equal(t, 2, r.all()["a"])
		}
		require.Equal(t, 5, r.version("b"))
		require.Equal(t, 1, r.inDatabase("a"))
		r.write("a", 3)
		time.Sleep(time.Minute)
		require.Equal(t, 3, r.version("a"))
	})
}

// A partial snapshot is never written: in Forever mode, too, only an Init of this process makes memory complete.
func TestPromise6_RecoveryRestoresTheDatabase_PartialSnapshotIsNeverWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.write("a", 1)
		r.write("b", 1)
		require.Equal(t, 1, r.version("a"))
		require.Len(t, r.all(), 2)
		r.upsert("a", 2)
		r.store.fail(errors.New("cable cut"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 3))
		require.Error(t, err)
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, true)
		require.Zero(t, r.store.inits.Load())
	})
}

// An Init that met the outage is as good as one before it.
func TestPromise6_RecoveryRestoresTheDatabase_InitDuringOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		errCut := errors.New("cable cut")
		r.store.fail(errCut)
		require.ErrorIs(t, r.wrapper.Init(t.Context(), flags(1, "a")), errCut)
		require.Error(t, r.wrapper.Init(t.Context(), flags(2, "a", "b")))
		require.Equal(t, map[string]int{"a": 2, "b": 2}, r.all())
		initialized, err := r.wrapper.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
		require.Equal(t, -1, r.inDatabase("a"))
		r.store.fail(nil)
		time.Sleep(time.Minute)
		require.Equal(t, 2, r.inDatabase("b"))
		r.requireStatus(true, false)
	})
}

// Promise 7.
func TestPromise7_WipedDatabaseIsNoticed_Forever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		var told steps
		defer r.wrapper.AddListener(told.add)()
		r.init(1, "a", "b")
		time.Sleep(time.Minute)
		r.db.Wipe()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []core.DataStoreStatus{unavailable, available}, told.all())
		require.Equal(t, 1, r.inDatabase("a"))
		initialized, err := r.other.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
	})
}

func TestPromise7_WipedDatabaseIsNoticed_TTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		var told steps
		defer r.wrapper.AddListener(told.add)()
		r.init(1, "a", "b")
		r.db.Wipe()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []core.DataStoreStatus{unavailable, stale}, told.all(), "and only once")
		r.init(2, "a")
		synctest.Wait()
		require.Equal(t, []core.DataStoreStatus{unavailable, stale, available}, told.all())
	})
}

// A process that only reads says so too, until whoever writes has filled the database again.
func TestPromise7_WipedDatabaseIsNoticed_Reader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		fill := func() {
			require.NoError(t, r.other.Init(t.Context(), []core.SerializedCollection{{
				Kind:  core.Flags,
				Items: []core.KeyedSerializedItem{{Key: "a", Item: flag("a", 1).Serialized()}},
			}}))
		}
		fill()
		initialized, err := r.wrapper.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
		r.db.Wipe()
		time.Sleep(time.Minute)
		r.requireStatus(true, true)
		fill()
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		require.Equal(t, 1, r.version("a"))
	})
}

// An item that vanishes makes the wrapper look at once.
func TestPromise7_WipedDatabaseIsNoticed_ByAMissingItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second), CheckInterval: time.Hour})
		r.init(1, "a")
		r.db.Wipe()
		time.Sleep(1100 * time.Millisecond)
		r.version("a") // missing, or the last known one if the watch over the database was quicker
		synctest.Wait()
		r.requireStatus(false, false)
		time.Sleep(time.Second)
		r.requireStatus(true, true)
	})
}

// Promise 8.
func TestPromise8_OneBadItemIsOneBadItem(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.write("good", 1)
				r.db.WriteRaw("", core.Flags, "bad", []byte(`{"key":"bad","ver`))
				requireBad := func(err error) {
					t.Helper()
					var item *core.ItemError
					require.ErrorAs(t, err, &item)
					require.Equal(t, "bad", item.Key)
					require.Equal(t, core.Flags, item.Kind)
					require.ErrorIs(t, err, core.ErrCorrupt)
				}
				for range 2 {
					items, err := r.wrapper.All(t.Context(), core.Flags)
					requireBad(err)
					require.Len(t, items, 1)
					require.Contains(t, items, "good")
					_, found, err := r.wrapper.Get(t.Context(), core.Flags, "bad")
					requireBad(err)
					require.False(t, found)
					require.Equal(t, 1, r.version("good"))
				}
				r.requireStatus(true, false)

				r.upsert("bad", 2)
				require.Equal(t, 2, r.version("bad"))
				require.Len(t, r.all(), 2)
			})
		})
	}
}

func TestPromise8_OneBadItemIsOneBadItem_MendedElsewhere(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.db.WriteRaw("", core.Flags, "bad", []byte(`[]`))
				_, _, err := r.wrapper.Get(t.Context(), core.Flags, "bad")
				require.ErrorIs(t, err, core.ErrCorrupt)
				_, err = r.wrapper.All(t.Context(), core.Flags)
				require.ErrorIs(t, err, core.ErrCorrupt)
				r.write("bad", 2)
				time.Sleep(10 * time.Second)
				require.Equal(t, 2, r.version("bad"))
				require.Len(t, r.all(), 1)
			})
		})
	}
}
