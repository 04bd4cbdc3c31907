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

func TestPromise5_AnOutageCostsNoLatency_KnownIsNotWaitedFor(t *testing.T) {
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
		synctest.Wait()
		waited := elapsed(early.Wait)
		require.Equal(t, 50*time.Millisecond, waited, "what is known is not waited for any longer")
		time.Sleep(time.Second)
		waited = elapsed(func() { require.Equal(t, 1, r.version("late")) })
		require.Zero(t, waited, "and not at all once the database is known to be slow")
		time.Sleep(2 * time.Second)
		r.requireStatus(false, false)
	})
}

// With the defaults, and everything in use, a database that begins to hang at whatever moment costs no read any time.
func TestPromise5_AnOutageCostsNoLatency_DatabaseThatHangs(t *testing.T) {
	const beginnings = 24
	for _, withAll := range []bool{false, true} {
		t.Run(map[bool]string{false: "Get", true: "Get and All"}[withAll], func(t *testing.T) {
			for i := range beginnings {
				synctest.Test(t, func(t *testing.T) {
					requireNoWait(t, i*int(2*caching.DefaultTTL)/beginnings, withAll)
				})
			}
		})
	}
}

func requireNoWait(t *testing.T, hangsAfter int, withAll bool) {
	t.Helper()
	r := newRig(t, caching.Options{})
	r.init(1, "a", "b", "c")
	time.AfterFunc(time.Duration(hangsAfter), r.store.hang)
	for end := time.Now().Add(3 * caching.DefaultTTL); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, key := range []string{"a", "b", "c"} {
			require.Zero(t, elapsed(func() { r.version(key) }), "hangs after %v", time.Duration(hangsAfter))
		}
		if withAll {
			require.Zero(t, elapsed(func() { r.all() }), "hangs after %v", time.Duration(hangsAfter))
		}
	}
	r.requireStatus(false, false)
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

// W3: one failed call is one failed call.
func TestPromise5_OneFailedCall_IsOneFailedCall(t *testing.T) {
	for share, most := range map[float64]float64{0.001: 0.002, 0.01: 0.02, 0.1: 0.3} {
		for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second)} {
			t.Run(fmt.Sprint(mode, " ", share), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{Mode: mode})
					r.init(1, "a")
					var told steps
					defer r.wrapper.AddListener(told.add)()
					inits := r.store.inits.Load()
					r.store.failShare(share)
					failed := 0
					const reads = 20_000
					for i := range reads {
						time.Sleep(10 * time.Millisecond)
						if i%100 == 0 && mode != caching.Off() {
							_, _ = r.wrapper.Upsert(t.Context(), core.Flags, "b", flag("b", i+1))
						}
						if _, found, err := r.wrapper.Get(t.Context(), core.Flags, "a"); err != nil || !found {
							failed++
						}
					}
					require.LessOrEqual(t, float64(failed)/reads, most)
					if share <= 0.01 {
						require.LessOrEqual(t, r.store.inits.Load()-inits, int64(3))
						require.LessOrEqual(t, len(told.all()), 4)
					}
				})
			})
		}
	}
}

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

func TestCachingStoreWrapper_ReadOnly_ReadsGoOn(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(1, "a")
				r.store.failWrites(fmt.Errorf("replica: %w", core.ErrReadOnly))
				_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
				require.ErrorIs(t, err, core.ErrReadOnly)
				time.Sleep(100 * time.Millisecond)
				r.requireStatus(false, false)
				r.write("b", 1)
				require.Equal(t, 1, r.version("b"), "the database is still read")
				_, err = r.wrapper.Upsert(t.Context(), core.Flags, "c", flag("c", 1))
				require.ErrorIs(t, err, core.ErrReadOnly, "and not asked to write until the next check")

				r.store.fail(errors.New("cable cut as well"))
				_, _, err = r.wrapper.Get(t.Context(), core.DataKind("other"), "never read")
				require.ErrorContains(t, err, "cable cut as well")
				time.Sleep(100 * time.Millisecond)
				asked := r.store.gets.Load()
				_, _, err = r.wrapper.Get(t.Context(), core.DataKind("other"), "never read")
				require.ErrorIs(t, err, core.ErrUnavailable)
				require.Equal(t, asked, r.store.gets.Load(), "from now on reads do not ask either")
				r.store.fail(nil)
				time.Sleep(time.Minute)
				r.requireStatus(true, mode == caching.Off())
				require.Equal(t, 1, r.version("b"))
			})
		})
	}
}
