package bigsegments_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
)

func TestManager_Close_EndsWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{QueryTimeout: time.Hour})
		r.requireMember("a", false, healthy)
		r.store.trouble(hangs, hangs)
		var callers sync.WaitGroup
		for range 5 {
			callers.Go(func() {
				if _, status := r.Membership(t.Context(), "b"); status != storeError {
					t.Error(status)
				}
			})
		}
		time.Sleep(time.Minute) // polling hangs too
		require.Zero(t, elapsed(func() { require.NoError(t, r.Close()) }))
		callers.Wait()
		require.EqualValues(t, 1, r.store.closes.Load())
	})
}

func TestManager_Close_Twice(t *testing.T) {
	r := newRig(t, bigsegments.Options{})
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.EqualValues(t, 1, r.store.closes.Load())
}

func TestManager_Close_NothingIsKnownAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{ServeStaleFor: time.Hour})
		var seen recorder
		r.AddListener(seen.listen)
		r.include("a", true)
		r.requireMember("a", true, healthy)
		require.NoError(t, r.Close())
		r.requireMember("a", false, storeError)
		r.requireMember("b", false, storeError)
		require.Equal(t, isUnavailable, r.Status())
		r.AddListener(seen.listen)()
		synctest.Wait()
		require.Empty(t, seen.got())
	})
}

func TestManager_Close_BeforeTheFirstPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStoreRig(t)
		r.store.trouble(nil, hangs)
		r.open(bigsegments.Options{})
		var callers sync.WaitGroup
		callers.Go(func() { r.Status() })
		callers.Go(func() { r.Membership(t.Context(), "a") })
		synctest.Wait()
		require.Zero(t, elapsed(func() {
			require.NoError(t, r.Close())
			callers.Wait()
		}))
	})
}
