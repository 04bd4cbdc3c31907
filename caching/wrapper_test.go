package caching_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

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

// The level of a log may itself be a flag. A deadlock would stop the bubble's clock, so that a real one watches.
func TestCachingStoreWrapper_LogHandlerMayEvaluateFlags(t *testing.T) {
	watchdog := time.AfterFunc(30*time.Second, func() { panic("deadlock between the wrapper and its log handler") })
	defer watchdog.Stop()
	synctest.Test(t, func(t *testing.T) {
		h := &countingHandler{}
		r := newRig(t, caching.Options{Mode: caching.TTL(20 * time.Millisecond), Logger: slog.New(h)})
		r.write("log-level", 1)
		require.Equal(t, 1, r.version("log-level"))
		var read atomic.Int64
		evaluate := func() {
			item, found, err := r.wrapper.Get(context.Background(), core.Flags, "log-level")
			if err == nil && found && item.Version() == 1 && r.wrapper.MonitoringEnabled() {
				_ = r.wrapper.Status()
				read.Add(1)
			}
		}
		h.asked.Store(&evaluate)
		r.store.fail(core.ErrUnavailable)
		time.Sleep(5 * time.Second)
		r.version("log-level")
		time.Sleep(100 * time.Millisecond) // the checks begin when the read fails
		r.requireStatus(false, false)
		r.store.fail(nil)
		time.Sleep(10 * time.Second)
		r.requireStatus(true, false)
		require.EqualValues(t, 2, read.Load(), "when the outage began and when it ended")
		h.asked.Store(nil)
	})
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

// A writer that waits for another one's turn is released as well, although its context never ends.
func TestCachingStoreWrapper_Close_ReleasesWaitingWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{ReadTimeout: time.Hour})
		r.store.hang()
		init := func() error { return r.wrapper.Init(context.Background(), flags(1, "a")) }
		upsert := func() error {
			_, err := r.wrapper.Upsert(context.Background(), core.Flags, "a", flag("a", 2))
			return err
		}
		ended := make(chan error, 3)
		for _, write := range []func() error{init, upsert, init} {
			go func() { ended <- write() }()
			synctest.Wait()
		}
		require.NoError(t, r.wrapper.Close())
		time.Sleep(time.Second)
		require.Len(t, ended, 3)
		for range 3 {
			require.ErrorIs(t, <-ended, core.ErrClosed)
		}
	})
}
