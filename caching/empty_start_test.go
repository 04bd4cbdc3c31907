package caching_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
)

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
