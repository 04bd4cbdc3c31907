package caching_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
)

// A clock that is set back does not make items live longer.
func TestPromise4_ClockSetBackProlongsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shift atomic.Int64
		r := newRig(t, caching.WithNow(caching.Options{Mode: caching.TTL(10 * time.Second)}, func() time.Time {
			return time.Now().Add(time.Duration(shift.Load()))
		}))
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		shift.Store(-int64(time.Hour))
		time.Sleep(time.Second)
		r.write("a", 2)
		time.Sleep(10 * time.Second)
		require.Equal(t, 2, r.version("a"))
	})
}
