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
