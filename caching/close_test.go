package caching_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

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
