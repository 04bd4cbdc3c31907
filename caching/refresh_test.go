package caching_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
)

// A process that has read some items of many does not read all of them when many of those fall due.
func TestPromise9_ManyDueOfFew_AreNotReadAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.WithRandom(caching.Options{}, func() float64 { return 0 }))
		keys := r.filledByAnother(200)
		r.use(keys, 4*caching.DefaultTTL)
		require.Zero(t, r.store.getAlls.Load())
		require.GreaterOrEqual(t, r.store.gets.Load(), int64(4*len(keys)), "they were refreshed")
	})
}

// That the only known item of a kind is missing is logged once, however often it is looked for.
func TestCachingStoreWrapper_OnlyItemMissing_LoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRig(t, caching.Options{
			Mode: caching.TTL(time.Second), Logger: slog.New(slog.NewTextHandler(&log, nil)), CheckInterval: time.Second,
		})
		r.filledByAnother(1)
		r.otherInit(1) // of segments alone
		for range 100 {
			require.Equal(t, 1, r.version("flag-0"), "kept")
			time.Sleep(time.Second)
		}
		require.NoError(t, r.wrapper.Close())
		require.Equal(t, 1, strings.Count(log.String(), "missing"), fmt.Sprint(&log))
	})
}

// A reader of two flags of many learns that another process's Init has removed both, and goes on being well.
func TestPromise9_ReaderOfFew_LearnsThatAllOfThemAreGone(t *testing.T) {
	for _, n := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
			r.otherInit(1, "a", "b", "c", "d", "e")
			keys := []string{"a", "b"}[:n]
			for _, key := range keys {
				require.Equal(t, 1, r.version(key))
			}
			r.otherInit(2, "c", "d", "e")
			for range 40 {
				time.Sleep(time.Second)
				for _, key := range keys {
					r.version(key)
				}
			}
			for _, key := range keys {
				require.Equal(t, -1, r.version(key))
			}
			r.requireStatus(true, false)
		})
	}
}
