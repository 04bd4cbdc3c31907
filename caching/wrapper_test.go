package caching_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestNewCachingStoreWrapper_InvalidOptions(t *testing.T) {
	for want, opts := range map[string]caching.Options{
		"Mode: time to live -1s is negative":                                  {Mode: caching.TTL(-time.Second)},
		"Capacity -1 is negative":                                             {Capacity: -1},
		"MaxStale -1ns is negative":                                           {MaxStale: -1},
		"ReadTimeout -1ns is negative":                                        {ReadTimeout: -1},
		"ReadAllTimeout -1ns is negative":                                     {ReadAllTimeout: -1},
		"WriteTimeout -1ns is negative":                                       {WriteTimeout: -1},
		"InitTimeout -1ns is negative":                                        {InitTimeout: -1},
		"CheckInterval -1ns is negative":                                      {CheckInterval: -1},
		"MinRetryDelay -1ns is negative":                                      {MinRetryDelay: -1},
		"MaxRetryDelay -1ns is negative":                                      {MaxRetryDelay: -1},
		"MinRetryDelay 2s exceeds MaxRetryDelay 1s":                           {MinRetryDelay: 2 * time.Second, MaxRetryDelay: time.Second},
		"Capacity -2 is negative\ncaching: cleat: invalid argument: MaxStale": {Capacity: -2, MaxStale: -1},
	} {
		t.Run(want, func(t *testing.T) {
			w, err := caching.NewCachingStoreWrapper(memorystore.New(nil, nil), &opts)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, want)
			require.Nil(t, w)
		})
	}
	_, err := caching.NewCachingStoreWrapper(nil, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestMode_String(t *testing.T) {
	require.Equal(t, "15s", caching.Mode{}.String())
	require.Equal(t, "1m0s", caching.TTL(time.Minute).String())
	require.Equal(t, "off", caching.Off().String())
	require.Equal(t, "forever", caching.Forever().String())
}

func TestCachingStoreWrapper_InvalidArguments(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(0), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, caching.Options{Mode: mode})
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			for name, call := range map[string]func(ctx context.Context) error{
				"Get": func(ctx context.Context) error { _, _, err := r.wrapper.Get(ctx, core.Flags, "a"); return err },
				"All": func(ctx context.Context) error { _, err := r.wrapper.All(ctx, core.Flags); return err },
				"Upsert": func(ctx context.Context) error {
					_, err := r.wrapper.Upsert(ctx, core.Flags, "a", flag("a", 1))
					return err
				},
				"Init":        func(ctx context.Context) error { return r.wrapper.Init(ctx, nil) },
				"Initialized": func(ctx context.Context) error { _, err := r.wrapper.Initialized(ctx); return err },
			} {
				require.ErrorIs(t, call(nil), core.ErrInvalid, name)
				require.Equal(t, context.Canceled, call(ended), name)
			}
			_, _, err := r.wrapper.Get(t.Context(), core.Flags, "")
			require.ErrorIs(t, err, core.ErrInvalid)
			_, _, err = r.wrapper.Get(t.Context(), "no kind", "a")
			require.ErrorIs(t, err, core.ErrInvalid)
			_, err = r.wrapper.All(t.Context(), "")
			require.ErrorIs(t, err, core.ErrInvalid)
			_, err = r.wrapper.Upsert(t.Context(), core.Flags, "", flag("a", 1))
			require.ErrorIs(t, err, core.ErrInvalid)
			_, err = r.wrapper.Upsert(t.Context(), core.Flags, "a", nil)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorIs(t, r.wrapper.Init(t.Context(), flags(1, "a", "a")), core.ErrInvalid)
			require.ErrorIs(t, r.wrapper.Init(t.Context(), []core.Collection{{Kind: core.Flags, Items: []core.KeyedItem{{Key: "a"}}}}), core.ErrInvalid)
			require.Zero(t, r.store.gets.Load()+r.store.upserts.Load()+r.store.inits.Load())
			r.requireStatus(true, false)
		})
	}
}

func TestCachingStoreWrapper_Close_InUse(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(0), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(1, "known")
				r.store.hang()
				var users sync.WaitGroup
				for _, use := range []func() error{
					func() error { _, _, err := r.wrapper.Get(t.Context(), core.Flags, "a"); return err },
					func() error { _, err := r.wrapper.All(t.Context(), core.DataKind("other")); return err },
					func() error { _, err := r.wrapper.Upsert(t.Context(), core.Flags, "b", flag("b", 1)); return err },
				} {
					users.Go(func() {
						if err := use(); !errors.Is(err, core.ErrClosed) {
							t.Errorf("interrupted by Close: %v", err)
						}
					})
				}
				synctest.Wait()
				require.Zero(t, elapsed(func() { require.NoError(t, r.wrapper.Close()) }))
				users.Wait()
				require.NoError(t, r.wrapper.Close(), "a second Close")
				for name, err := range map[string]error{
					"Get":  func() error { _, _, err := r.wrapper.Get(t.Context(), core.Flags, "known"); return err }(),
					"All":  func() error { _, err := r.wrapper.All(t.Context(), core.Flags); return err }(),
					"Init": r.wrapper.Init(t.Context(), nil),
					"Upsert": func() error {
						_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 1))
						return err
					}(),
					"Initialized": func() error { _, err := r.wrapper.Initialized(t.Context()); return err }(),
				} {
					require.ErrorIs(t, err, core.ErrClosed, name)
				}
				_, _, err := r.store.Store.Get(t.Context(), core.Flags, "a")
				require.ErrorIs(t, err, core.ErrClosed, "the store below")
			})
		})
	}
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

func TestCachingStoreWrapper_RemovedListenerIsNotCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		var kept, removed steps
		r.wrapper.AddListener(kept.add)
		remove := r.wrapper.AddListener(removed.add)
		remove()
		remove()
		r.store.fail(errors.New("cable cut"))
		_, _, err := r.wrapper.Get(t.Context(), core.Flags, "a")
		require.Error(t, err)
		synctest.Wait()
		require.Equal(t, []core.DataStoreStatus{unavailable}, kept.all())
		require.Empty(t, removed.all())
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
