package caching_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
)

func TestMode_String(t *testing.T) {
	require.Equal(t, "15s", caching.Mode{}.String())
	require.Equal(t, "1m0s", caching.TTL(time.Minute).String())
	require.Equal(t, "off", caching.Off().String())
	require.Equal(t, "forever", caching.Forever().String())
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
