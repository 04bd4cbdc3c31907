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

func TestCachingStoreWrapper_Upsert_OlderOneReturnsWinner(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, caching.Options{Mode: mode})
			r.init(1, "a")
			r.write("a", 100)
			updated, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
			require.NoError(t, err)
			require.False(t, updated)
			require.Equal(t, 100, r.version("a"), "the winner is what is in the database")
			require.Equal(t, map[string]int{"a": 100}, r.all())
			updated, err = r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 101))
			require.NoError(t, err)
			require.True(t, updated)
		})
	}
}

func TestCachingStoreWrapper_Upsert_CallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		goOn := make(chan struct{})
		r.store.set(func(ctx context.Context, _ string) error {
			<-goOn
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.wrapper.Upsert(ctx, core.Flags, "a", flag("a", 2))
		require.Equal(t, context.DeadlineExceeded, err)
		close(goOn)
		synctest.Wait()
		require.Equal(t, 2, r.version("a"))
		require.Equal(t, 2, r.inDatabase("a"))
		r.requireStatus(true, false)
	})
}

// A failure of an operation that began before a recovery says nothing about the time after it.

// The time between two checks grows while the database recovers and fails again at once.

// bare hides the optional abilities of the store.

func TestCachingStoreWrapper_Init_ReplacesEverything(t *testing.T) {
	r := newRig(t, caching.Options{Mode: caching.Forever()})
	const other = core.DataKind("other")
	_, err := r.wrapper.Upsert(t.Context(), other, "x", flag("x", 1))
	require.NoError(t, err)
	r.init(5, "a", "b")
	r.init(1, "b", "c")
	require.Equal(t, map[string]int{"b": 1, "c": 1}, r.all())
	asked := r.store.gets.Load()
	_, found, err := r.wrapper.Get(t.Context(), other, "x")
	require.NoError(t, err)
	require.True(t, found, "a kind that Init does not name stays")
	require.Equal(t, asked, r.store.gets.Load(), "in memory")
	require.NoError(t, r.wrapper.Init(t.Context(), []core.Collection{{Kind: other}}))
	_, found, err = r.wrapper.Get(t.Context(), other, "x")
	require.NoError(t, err)
	require.False(t, found)
	require.Empty(t, r.all(), "built-in kinds end up empty")
}

func TestCachingStoreWrapper_Init_KeepsUpsertsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		goOn := make(chan struct{})
		r.store.setAfter(func(operation string) {
			if operation == "Init" {
				<-goOn
			}
		})
		var writers sync.WaitGroup
		writers.Go(func() {
			if err := r.wrapper.Init(t.Context(), flags(1, "a")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		writers.Go(func() {
			if _, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		require.Zero(t, r.store.upserts.Load())
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.wrapper.Upsert(impatient, core.Flags, "a", flag("a", 3))
		require.Equal(t, context.DeadlineExceeded, err)
		require.Equal(t, 3, r.version("a"), "memory has every update at once")
		close(goOn)
		writers.Wait()
		synctest.Wait()
		require.Equal(t, 3, r.version("a"))
		require.Equal(t, 3, r.inDatabase("a"))
	})
}

// A caller who leaves does not stop the write, and the cache learns of it.

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

// An Init that arrives in an outage is taken as current when it reaches the database, as any Init is: versions are not
// compared, in no mode.
func TestCachingStoreWrapper_Init_InAnOutage_IsTakenAsCurrent(t *testing.T) {
	for name, mode := range map[string]caching.Mode{
		"off": caching.Off(), "TTL": caching.TTL(time.Second), "forever": caching.Forever(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(5, "a")
				// The data source sends everything again when it is asked to.
				data := flags(5, "a")
				defer r.wrapper.AddListener(func(status core.DataStoreStatus) {
					if status.Available && status.Stale {
						_ = r.wrapper.Init(t.Context(), data)
					}
				})()
				r.store.fail(core.ErrUnavailable)
				data = flags(2, "a")
				require.ErrorIs(t, r.wrapper.Init(t.Context(), data), core.ErrUnavailable)
				r.store.fail(nil)
				time.Sleep(time.Minute)
				require.Equal(t, 2, r.inDatabase("a"))
				require.Equal(t, 2, r.version("a"))
				r.requireStatus(true, false)
			})
		})
	}
}

// The data that a replica did not take is what this process uses, also in what it lacks.
func TestCachingStoreWrapper_Init_RefusedRemovesFlagsAllTheSame(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Forever(), caching.TTL(0), caching.TTL(time.Second)} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(1, "a", "b")
				r.store.failWrites(fmt.Errorf("replica: %w", core.ErrReadOnly))
				require.ErrorIs(t, r.wrapper.Init(t.Context(), flags(2, "a")), core.ErrReadOnly)
				for range 2 {
					require.Equal(t, map[string]int{"a": 2}, r.all())
					require.Equal(t, 2, r.version("a"))
					require.Equal(t, -1, r.version("b"))
					time.Sleep(time.Minute)
				}
				require.Equal(t, 1, r.inDatabase("b"), "although it is still there")
			})
		})
	}
}

// W2: what is delivered while the database hangs is visible at once, and no caller waits for the database for long.
func TestPromise6_DeliveredIsVisibleAtOnce_DatabaseHangs(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.Forever()} {
		for _, cold := range []bool{true, false} {
			t.Run(fmt.Sprint(mode, " cold ", cold), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{Mode: mode})
					if !cold {
						r.init(1, "a")
					}
					r.store.hang()
					for version := 2; version < 5; version++ {
						wait, err := r.wrapper.BeginInit(t.Context(), flags(version, "a"))
						require.NoError(t, err)
						require.Zero(t, elapsed(func() { require.Equal(t, version, r.version("a")) }))
						require.LessOrEqual(t, elapsed(func() { _ = wait(t.Context()) }), 2500*time.Millisecond)
					}
					require.Zero(t, elapsed(func() {
						_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 9))
						require.ErrorIs(t, err, core.ErrUnavailable)
					}), "once the database is known to be down")
					require.Equal(t, 9, r.version("a"))
					r.store.fail(nil)
					time.Sleep(10 * time.Second)
					require.Equal(t, 9, r.inDatabase("a"))
					r.requireStatus(true, false)
				})
			})
		}
	}
}
