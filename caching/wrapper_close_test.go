package caching_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// closeLimit is how long Close may take, by its documentation.
const closeLimit = 10 * time.Second

// stuck is a store of which methods do not end before they are released, whatever happens to their context.
type stuck struct {
	*memorystore.Store
	init, get, watch, end chan struct{} // closed to release the method; nil if it is not stuck
	endErr                error
}

func (s *stuck) Init(context.Context, []core.SerializedCollection) error {
	await(s.init)
	return nil
}

func (s *stuck) Get(context.Context, core.DataKind, string) (core.SerializedItem, bool, error) {
	await(s.get)
	return flag("a", 1).Serialized(core.Flags, "a"), true, nil
}

func (s *stuck) Watch(ctx context.Context, notify func(core.Change)) error {
	await(s.watch)
	notify(core.Change{})
	return s.Store.Watch(ctx, notify)
}

func (s *stuck) Close() error {
	await(s.end)
	return errors.Join(s.endErr, s.Store.Close())
}

func await(released <-chan struct{}) {
	if released != nil {
		<-released
	}
}

// openStuck makes a wrapper over the store, and returns what it logs, which may be read when all is at rest.
func openStuck(t *testing.T, store *stuck, mode caching.Mode) (*caching.CachingStoreWrapper, *bytes.Buffer) {
	t.Helper()
	store.Store = memorystore.New(nil, nil)
	log := &bytes.Buffer{}
	w, err := caching.NewCachingStoreWrapper(store, &caching.Options{
		Mode: mode, ReadTimeout: time.Hour, ReadAllTimeout: time.Hour, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	synctest.Wait()
	return w, log
}

// What the store does not give back is left behind; callers are not, and what ends late is of no effect.
func TestCachingStoreWrapper_Close_StuckCalls(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				w, log := openStuck(t, &stuck{init: release, get: release, watch: release}, mode)
				ended := make(chan error, 4)
				for _, use := range []func() error{
					func() error { _, _, err := w.Get(context.Background(), core.Flags, "a"); return err },
					func() error { return w.Init(context.Background(), flags(1, "a")) },
					func() error { return w.Init(context.Background(), flags(2, "a")) }, // waits for the other one
					func() error { _, err := w.Upsert(context.Background(), core.Flags, "a", flag("a", 3)); return err },
				} {
					go func() { ended <- use() }()
					synctest.Wait()
				}
				begun, closed := time.Now(), make(chan error, 1)
				go func() { closed <- w.Close() }()
				time.Sleep(closeLimit / 2) // for the Init that waits to be written
				synctest.Wait()
				require.Len(t, ended, cap(ended), "callers wait as little as with a store that ends its calls")
				for range cap(ended) {
					require.ErrorIs(t, <-ended, core.ErrClosed)
				}
				require.NoError(t, <-closed)
				require.Equal(t, closeLimit, time.Since(begun))
				synctest.Wait()
				require.Contains(t, log.String(), `level=ERROR`)
				require.Contains(t, log.String(), `store=*caching_test.stuck calls="[Get Init Watch]"`)
				close(release)
				synctest.Wait()
				_, _, err := w.Get(t.Context(), core.Flags, "a")
				require.ErrorIs(t, err, core.ErrClosed)
			})
		})
	}
}

// No caller waits for longer than a call takes to end.
func TestCachingStoreWrapper_Close_CallThatEndsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{get: make(chan struct{}), endErr: errors.New("cable cut")}
		w, log := openStuck(t, s, caching.TTL(time.Minute))
		go func() { _, _, _ = w.Get(context.Background(), core.Flags, "a") }()
		synctest.Wait()
		time.AfterFunc(closeLimit-1, func() { close(s.get) })
		require.Equal(t, closeLimit-1, elapsed(func() { require.Equal(t, "cable cut", w.Close().Error()) }))
		require.Empty(t, log.String())
	})
}

func TestCachingStoreWrapper_Close_StuckClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{end: make(chan struct{})}
		w, log := openStuck(t, s, caching.TTL(time.Minute))
		require.Equal(t, closeLimit, elapsed(func() { require.ErrorIs(t, w.Close(), core.ErrUnavailable) }))
		require.Contains(t, log.String(), `calls=[Close]`)
		require.Zero(t, elapsed(func() { require.NoError(t, w.Close()) }))
		close(s.end)
	})
}

type panicsAtClose struct{ *memorystore.Store }

func (panicsAtClose) Close() error { panic("a bug of the adapter") }

func TestCachingStoreWrapper_Close_StorePanics(t *testing.T) {
	w, err := caching.NewCachingStoreWrapper(panicsAtClose{memorystore.New(nil, nil)}, &caching.Options{Logger: quiet})
	require.NoError(t, err)
	err = w.Close()
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "a bug of the adapter")
}

// What ends once the wrapper is closed has no effect: nothing is announced, logged or kept, and nothing goes on running.
func TestCachingStoreWrapper_BadAdapter_ReturnsAfterClose(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		release := make(chan struct{})
		adapter := &badAdapter{
			bug: func(context.Context) error { <-release; return nil },
			watch: func(_ context.Context, changed func(core.Change)) error {
				<-release
				for range 1000 {
					changed(core.Change{})
					changed(flagChange("good"))
				}
				return nil
			},
		}
		r := newBadRig(t, mode, adapter)
		var told announced
		r.wrapper.AddChangeListener(told.add)
		r.callBad(t.Context())
		synctest.Wait()
		require.Equal(t, closeLimit, elapsed(func() { require.NoError(t, r.wrapper.Close()) }))
		require.EqualValues(t, 1, r.log.lines.Load(), "what is left behind is logged")
		close(release)
		require.Empty(t, told.take())
		_, _, err := r.wrapper.Get(t.Context(), "other", "bad")
		require.ErrorIs(t, err, core.ErrClosed)
		require.EqualValues(t, 1, r.log.lines.Load())
	})
}
