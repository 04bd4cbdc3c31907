package caching_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

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

// Reads of items that the database lacks make the monitor look, which must not put off the end of the outage.
func TestCachingStoreWrapper_Init_RefusedDoesNotDelayRecovery(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(100 * time.Millisecond), caching.TTL(time.Second)} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.store.failWrites(fmt.Errorf("replica: %w", core.ErrReadOnly))
				keys := make([]string, 200)
				for i := range keys {
					keys[i] = fmt.Sprint("flag-", i)
				}
				require.ErrorIs(t, r.wrapper.Init(t.Context(), flags(2, keys...)), core.ErrReadOnly)
				for i := 0; !r.wrapper.Status().Available; i++ {
					require.Less(t, i, 200, "no recovery within 2 s")
					require.Equal(t, 2, r.version(keys[i%len(keys)]))
					time.Sleep(10 * time.Millisecond)
				}
			})
		})
	}
}
