package caching_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
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

// Callers that come just when the load of another one ends do not load again.
func TestPromise2_OneLoad_CallersThatComeLate(t *testing.T) {
	const keys, callers = 300, 16
	r := newRig(t, caching.Options{Mode: caching.Forever()})
	for i := range keys {
		r.write(strconv.Itoa(i), 1)
	}
	for i := range keys {
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				if _, found, err := r.wrapper.Get(t.Context(), core.Flags, strconv.Itoa(i)); !found || err != nil {
					t.Error(found, err)
				}
			})
		}
		wg.Wait()
	}
	require.EqualValues(t, keys, r.store.gets.Load())
}

func TestCachingStoreWrapper_Off_KeepsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Off()})
		r.init(1, "a")
		r.write("a", 2)
		require.Equal(t, 2, r.version("a"))
		require.Equal(t, map[string]int{"a": 2}, r.all())
		r.db.Wipe()
		require.Equal(t, -1, r.version("a"))
		require.Empty(t, r.all())
		initialized, err := r.wrapper.Initialized(t.Context())
		require.NoError(t, err)
		require.False(t, initialized)

		r.store.fail(errors.New("cable cut"))
		_, _, err = r.wrapper.Get(t.Context(), core.Flags, "a")
		require.ErrorContains(t, err, "cable cut")
		time.Sleep(100 * time.Millisecond)
		asked := r.store.gets.Load()
		_, _, err = r.wrapper.Get(t.Context(), core.Flags, "a")
		require.ErrorIs(t, err, core.ErrUnavailable)
		_, err = r.wrapper.All(t.Context(), core.Flags)
		require.ErrorIs(t, err, core.ErrUnavailable)
		_, err = r.wrapper.Initialized(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.ErrorIs(t, r.wrapper.Init(t.Context(), flags(3, "a")), core.ErrUnavailable)
		require.Equal(t, asked, r.store.gets.Load())
	})
}

func TestCachingStoreWrapper_Forever_KnownKeysAreNeverReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		require.Equal(t, -1, r.version("missing"))
		r.write("a", 2)
		r.write("b", 1)
		time.Sleep(10 * time.Minute)
		require.Equal(t, 1, r.version("a"))
		require.Equal(t, 1, r.version("b"), "a key that was never read is read")
		r.db.Wipe()
		require.Equal(t, map[string]int{"a": 1, "b": 1}, r.all(), "All agrees with what Get answers")
		require.Equal(t, 1, r.version("a"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "missing", flag("missing", 1))
		require.NoError(t, err)
		require.Equal(t, 1, r.version("missing"), "an unknown key that is upserted")
		require.Len(t, r.all(), 3)
	})
}

// That a database was empty when it was first read is not kept for ever: another process may have been about to fill it.
func TestCachingStoreWrapper_Forever_DatabaseIsFilledAfterTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		require.Equal(t, -1, r.version("a"))
		require.Empty(t, r.all())
		r.otherInit(1, "a")
		time.Sleep(time.Minute)
		initialized, err := r.wrapper.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
		require.Equal(t, 1, r.version("a"))
		require.Equal(t, map[string]int{"a": 1}, r.all())
	})
}

// It is not kept for ever either if the wrapper learns during the read that the database has been filled.
func TestCachingStoreWrapper_Forever_DatabaseIsFilledDuringARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever(), CheckInterval: time.Second})
		reads := map[string]func(){
			"Get":    func() { require.Equal(t, -1, r.version("a")) },
			"GetAll": func() { require.Empty(t, r.all()) },
		}
		var wg sync.WaitGroup
		filled := make(chan struct{})
		r.store.setAfter(func(operation string) {
			if reads[operation] != nil {
				<-filled
			}
		})
		for _, read := range reads {
			wg.Go(read)
		}
		synctest.Wait()
		r.otherInit(1, "a")
		time.Sleep(1100 * time.Millisecond)
		initialized, err := r.wrapper.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
		close(filled)
		wg.Wait()
		r.store.setAfter(nil)
		time.Sleep(1100 * time.Millisecond)
		require.Equal(t, map[string]int{"a": 1}, r.all())
		require.Equal(t, 1, r.version("a"))
	})
}

func TestCachingStoreWrapper_TTL_ItemsThatVanishAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		r.write("a", 1)
		r.write("b", 1)
		require.Equal(t, 1, r.version("a"))
		require.Len(t, r.all(), 2)
		r.db.Wipe()
		r.write("b", 2)
		time.Sleep(1100 * time.Millisecond)
		require.Equal(t, map[string]int{"a": 1, "b": 2}, r.all(), "it may be back in a moment")
		time.Sleep(time.Minute)
		require.Equal(t, map[string]int{"b": 2}, r.all())
		require.Equal(t, -1, r.version("a"))
	})
}

func TestCachingStoreWrapper_Initialized(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				ask := func() bool {
					initialized, err := r.wrapper.Initialized(t.Context())
					require.NoError(t, err)
					return initialized
				}
				require.False(t, ask())
				asked := r.store.checks.Load()
				require.False(t, ask())
				require.Equal(t, mode != caching.Off(), asked == r.store.checks.Load(), "asked again at once")
				require.NoError(t, r.other.Init(t.Context(), nil))
				if mode == caching.Forever() {
					time.Sleep(caching.DefaultCheckInterval)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				require.True(t, ask(), "at the latest after a second, or after the regular check")
				asked = r.store.checks.Load()
				require.True(t, ask())
				require.Equal(t, mode != caching.Off(), asked == r.store.checks.Load(), "asked again")
			})
		})
	}
}

func TestCachingStoreWrapper_Initialized_OneQuestionOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		r.store.hang()
		for range 1000 {
			go func() { _, _ = r.wrapper.Initialized(context.Background()) }()
		}
		synctest.Wait()
		require.EqualValues(t, 1, r.store.checks.Load())
		time.Sleep(time.Minute)
		r.requireStatus(false, false)
	})
}

// The question is asked once, also if the database holds items and is not marked as initialised.
func TestCachingStoreWrapper_FirstItem_AsksForTheMarkOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{CheckInterval: time.Hour})
		require.Equal(t, -1, r.version("unknown"))
		synctest.Wait()
		require.Zero(t, r.store.checks.Load(), "nothing was found")
		for _, key := range []string{"a", "b", "c"} {
			r.write(key, 1)
			require.Equal(t, 1, r.version(key))
			synctest.Wait()
		}
		require.Len(t, r.all(), 3)
		synctest.Wait()
		require.EqualValues(t, 1, r.store.checks.Load())
	})
}

// A read of what memory has no room for takes no longer because all data is replaced meanwhile, again and again.
func TestCachingStoreWrapper_Read_DataReplacedAgainAndAgain_EndsInTime(t *testing.T) {
	const readTime, initEvery = 1500 * time.Millisecond, time.Second
	for name, opts := range map[string]caching.Options{
		"off": {Mode: caching.Off()}, "no room": {Mode: caching.TTL(time.Hour), Capacity: 1},
	} {
		for operation, read := range map[string]func(*rig) int{
			"Get": func(r *rig) int { return r.version("b") },
			"All": func(r *rig) int { return r.all()["b"] },
		} {
			t.Run(name+" "+operation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, opts)
					r.init(1, "a", "b")
					r.store.set(func(_ context.Context, operation string) error {
						if strings.HasPrefix(operation, "Get") {
							time.Sleep(readTime)
						}
						return nil
					})
					var inits sync.WaitGroup
					defer inits.Wait()
					inits.Go(func() {
						for version := 2; version < 20; version++ {
							time.Sleep(initEvery)
							r.init(version, "a", "b")
						}
					})
					time.Sleep(initEvery / 2)
					require.Less(t, elapsed(func() { require.NotZero(t, read(r)) }), 2*readTime+initEvery)
				})
			})
		}
	}
}
