package caching_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
)

// With the defaults, and everything in use, a database that begins to hang at whatever moment costs no read any time.
func TestPromise5_AnOutageCostsNoLatency_DatabaseThatHangs(t *testing.T) {
	const beginnings = 24
	for _, withAll := range []bool{false, true} {
		t.Run(map[bool]string{false: "Get", true: "Get and All"}[withAll], func(t *testing.T) {
			for i := range beginnings {
				synctest.Test(t, func(t *testing.T) {
					requireNoWait(t, i*int(2*caching.DefaultTTL)/beginnings, withAll)
				})
			}
		})
	}
}

func requireNoWait(t *testing.T, hangsAfter int, withAll bool) {
	t.Helper()
	r := newRig(t, caching.Options{})
	r.init(1, "a", "b", "c")
	time.AfterFunc(time.Duration(hangsAfter), r.store.hang)
	for end := time.Now().Add(3 * caching.DefaultTTL); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, key := range []string{"a", "b", "c"} {
			require.Zero(t, elapsed(func() { r.version(key) }), "hangs after %v", time.Duration(hangsAfter))
		}
		if withAll {
			require.Zero(t, elapsed(func() { r.all() }), "hangs after %v", time.Duration(hangsAfter))
		}
	}
	r.requireStatus(false, false)
}

func TestCachingStoreWrapper_Initialized_OneQuestionOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		r.store.hang()
		for range 1000 {
			go func() { _, _ = r.wrapper.Initialized(context.Background()) }()
		}
		synctest.Wait()
		require.EqualValues(t, 1, r.store.checks.Load())
		time.Sleep(time.Minute)
		r.requireStatus(false, false)
	})
}
