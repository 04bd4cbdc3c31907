package caching_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// The longest time that can be said means for ever, and does not overflow into the past.
func TestOptions_MaxStale_Longest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), MaxStale: math.MaxInt64})
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		require.Len(t, r.all(), 1)
		r.store.fail(core.ErrUnavailable)
		time.Sleep(time.Minute)
		require.Equal(t, 1, r.version("a"))
		require.Len(t, r.all(), 1)
	})
}

func TestMode_TTL_Longest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(math.MaxInt64), CheckInterval: time.Hour})
		r.write("a", 1)
		for range 10 {
			require.Equal(t, 1, r.version("a"))
			time.Sleep(time.Second)
		}
		require.EqualValues(t, 1, r.store.gets.Load())
	})
}
