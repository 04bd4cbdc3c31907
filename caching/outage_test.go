package caching_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestCachingStoreWrapper_TooLargeItem_ConcernsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		r.init(1, "a", "b")
		tooLarge := &core.ItemError{Kind: core.Flags, Key: "a", Size: 1 << 20, Err: core.ErrTooLarge}
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "Upsert" {
				return fmt.Errorf("store: %w", tooLarge)
			}
			return nil
		})
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrTooLarge)
		r.requireStatus(true, false)
		time.Sleep(time.Minute)
		require.Equal(t, 2, r.version("a"), "this process uses it all the same")

		r.store.set(func(_ context.Context, operation string) error {
			if operation == "Init" {
				require.NoError(t, r.other.Init(t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
					{Key: "a", Item: flag("a", 1).Serialized(core.Flags, "a")}, {Key: "b", Item: flag("b", 3).Serialized(core.Flags, "b")},
				}}}))
				return errors.Join(tooLarge)
			}
			return nil
		})
		require.ErrorIs(t, r.wrapper.Init(t.Context(), flags(3, "a", "b")), core.ErrTooLarge)
		r.requireStatus(true, false)
		time.Sleep(time.Minute)
		require.Equal(t, map[string]int{"a": 3, "b": 3}, r.all())
		r.write("b", 4)
		time.Sleep(time.Minute)
		require.Equal(t, map[string]int{"a": 3, "b": 4}, r.all(), "b is in the database and is read from there")
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

func TestCachingStoreWrapper_LateFailureIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second), ReadTimeout: 10 * time.Second})
		r.store.hang()
		var slow sync.WaitGroup
		slow.Go(func() {
			if _, _, err := r.wrapper.Get(t.Context(), core.Flags, "slow"); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("slow: %v", err)
			}
		})
		synctest.Wait()
		r.store.fail(errors.New("cable cut"))
		_, _, err := r.wrapper.Get(t.Context(), core.Flags, "quick")
		require.ErrorContains(t, err, "cable cut")
		slow.Wait()
		r.store.fail(nil)
		time.Sleep(5 * time.Second)
		r.requireStatus(true, false)
		time.Sleep(4500 * time.Millisecond)
		var told steps
		defer r.wrapper.AddListener(told.add)()
		time.Sleep(time.Second)
		require.Empty(t, told.all())
	})
}

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

type bare struct{ core.FeatureStoreCore }

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

func TestCachingStoreWrapper_Forever_RewriteThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		r.db.Wipe()
		r.store.failWrites(&core.PartialInitError{Total: 1, Err: core.ErrUnavailable})
		time.Sleep(time.Minute)
		r.requireStatus(false, false)
		require.Greater(t, r.store.inits.Load(), int64(2))
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "GetAll" {
				return errors.New("cannot be read")
			}
			return nil
		})
		time.Sleep(time.Minute)
		r.requireStatus(false, false)
		require.Equal(t, -1, r.inDatabase("a"))
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		require.Equal(t, 1, r.inDatabase("a"))
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

// An item that is too large is no excuse for an Init that stopped half way.
func TestCachingStoreWrapper_Init_PartialIsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		r.store.failWrites(&core.PartialInitError{Total: 2, Err: &core.ItemError{Kind: core.Flags, Key: "a", Err: core.ErrTooLarge}})
		var partial *core.PartialInitError
		require.ErrorAs(t, r.wrapper.Init(t.Context(), flags(1, "a", "b")), &partial)
		time.Sleep(100 * time.Millisecond)
		r.requireStatus(false, false)
		require.Equal(t, map[string]int{"a": 1, "b": 1}, r.all())
	})
}
