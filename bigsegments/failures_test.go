package bigsegments_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
)

// A context whose query fails is no reason to doubt the others, however long that lasts.
func TestManager_Membership_FailingContextConcernsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBook
		r := newRig(t, bigsegments.Options{CacheTime: time.Millisecond, Logger: log.logger()})
		var seen recorder
		r.AddListener(seen.listen)
		r.include("good", true)
		r.requireMember("good", true, healthy)
		r.store.lose("bad")
		for range 6000 { // a minute
			r.requireMember("bad", false, storeError)
			r.requireMember("good", true, healthy)
			time.Sleep(10 * time.Millisecond)
		}
		require.Equal(t, isHealthy, r.Status())
		require.Empty(t, seen.got())
		require.LessOrEqual(t, log.count(slog.LevelWarn), 2)
		require.Zero(t, log.count(slog.LevelError))
		r.store.lose()
		time.Sleep(5 * time.Second)
		r.requireMember("bad", false, healthy)
	})
}

// A failed query is repeated at growing intervals, and not by each evaluation.
func TestManager_Membership_FailingContextIsNotAskedForEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.WithRandom(bigsegments.Options{CacheTime: time.Millisecond}, func() float64 { return 0.999 }))
		r.store.lose("bad")
		for range 6000 { // a minute
			r.requireMember("bad", false, storeError)
			time.Sleep(10 * time.Millisecond)
		}
		// After 0.25, 0.5, 1, 2 and 4 s, and then each 5 s.
		require.LessOrEqual(t, r.store.memberships.Load(), int64(17))
		require.GreaterOrEqual(t, r.store.memberships.Load(), int64(12))
		require.Equal(t, isHealthy, r.Status())
	})
}

func TestManager_Membership_FailingContextIsServedStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{CacheTime: time.Second, ServeStaleFor: time.Minute})
		r.include("a", true)
		r.requireMember("a", true, healthy)
		r.store.lose("a")
		time.Sleep(time.Second)
		r.requireMember("a", true, stale)
		r.requireMember("b", false, healthy)
		time.Sleep(time.Minute - 1)
		r.requireMember("a", true, stale)
		time.Sleep(time.Nanosecond)
		r.requireMember("a", false, storeError)
		r.requireMember("b", false, healthy)
		r.store.lose()
		time.Sleep(5 * time.Second)
		r.requireMember("a", true, healthy)
	})
}

// Any number of contexts may fail in a row, as those do whose node was lost: the store is asked for others before all fail.
func TestManager_Membership_ManyFailingContextsAreNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		var seen recorder
		r.AddListener(seen.listen)
		var lost []string
		for i := range 1000 {
			lost = append(lost, "lost "+strconv.Itoa(i))
		}
		r.store.lose(lost...)
		for i, key := range lost {
			r.requireMember(key, false, storeError)
			time.Sleep(10 * time.Millisecond)
			if i%10 == 9 {
				r.requireMember("living "+strconv.Itoa(i), false, healthy)
			}
		}
		require.Equal(t, isHealthy, r.Status())
		require.Empty(t, seen.got())
		require.LessOrEqual(t, r.store.memberships.Load(), int64(1000+100+20*16), "and it is not asked for many")
	})
}

// If the queries for all contexts fail, that is an outage although the metadata can be read, and it ends with the first query
// that succeeds.
func TestManager_Membership_QueriesOfAllFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.WithRandom(bigsegments.Options{QueryTimeout: time.Second}, func() float64 { return 0.999 }))
		r.requireMember("a", false, healthy)
		var seen recorder
		r.AddListener(seen.listen)
		r.store.trouble(hangs, nil)
		for i := range 5 {
			require.LessOrEqual(t, elapsed(func() { r.requireMember(strconv.Itoa(i), false, storeError) }), time.Second)
		}
		require.Equal(t, isUnavailable, r.Status())
		asked := r.store.memberships.Load()
		for i := range 600 { // a minute
			require.Zero(t, elapsed(func() { r.requireMember("b"+strconv.Itoa(i), false, storeError) }))
			time.Sleep(100 * time.Millisecond)
		}
		require.LessOrEqual(t, r.store.memberships.Load()-asked, int64(18))
		require.Equal(t, []core.BigSegmentStoreStatus{isUnavailable}, seen.got(), "it does not flap")

		r.store.lose("b0") // of those that failed, one does so still
		r.store.trouble(nil, nil)
		time.Sleep(6 * time.Second)
		require.Equal(t, isHealthy, r.Status())
		r.requireMember("b1", false, healthy)
		r.requireMember("b0", false, storeError)
		require.Equal(t, []core.BigSegmentStoreStatus{isUnavailable, isHealthy}, seen.got())
	})
}

// What is known when the store comes back, be it that a query failed, is asked for again at once.
func TestManager_Membership_AskedAgainWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{CacheTime: time.Hour, StaleAfter: time.Hour})
		r.include("a", true)
		r.requireMember("a", true, healthy)
		r.store.trouble(fails(errCable), fails(errCable))
		r.requireMember("b", false, storeError)
		synctest.Wait()
		require.Equal(t, isUnavailable, r.Status())
		r.include("a", false)
		r.include("b", true)
		r.requireMember("a", true, stale)
		type told struct{ a, b ldreason.BigSegmentsStatus }
		back := make(chan told, 1)
		r.AddListener(func(s core.BigSegmentStoreStatus) {
			if s == isHealthy {
				a, statusOfA := r.Membership(context.Background(), "a")
				b, statusOfB := r.Membership(context.Background(), "b")
				if a.Len() == 0 && b.Len() == 1 {
					back <- told{statusOfA, statusOfB}
				}
			}
		})
		r.store.trouble(nil, nil)
		time.Sleep(time.Second)
		require.Len(t, back, 1, "a listener gets what the store holds now")
		require.Equal(t, told{healthy, healthy}, <-back)
	})
}

// A store that breaks the contract by not heeding its context is left behind, and asked again like one whose query has failed.
func TestManager_Membership_DeafQuery_IsAskedAgainAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout, grace = time.Second, 10 * time.Millisecond
		r := newRig(t, bigsegments.Options{QueryTimeout: timeout})
		goOn := make(chan struct{})
		defer close(goOn)
		r.requireMember("a", false, healthy)
		r.store.trouble(func(context.Context) error { <-goOn; return nil }, nil)
		begun, waited := time.Now(), time.Duration(0)
		for time.Since(begun) < time.Minute {
			took := elapsed(func() { r.requireMember("b", false, storeError) })
			require.LessOrEqual(t, took, timeout+grace)
			waited += took
			time.Sleep(100 * time.Millisecond)
		}
		require.Less(t, waited, 20*time.Second)
		require.Equal(t, isHealthy, r.Status())
	})
}

// A wiped store says that no context is in any segment. What is known is believed rather than that, as far as it may be.
func TestManager_Membership_WipedStore(t *testing.T) {
	for name, serveStaleFor := range map[string]time.Duration{"served stale": time.Minute, "not served stale": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, bigsegments.Options{CacheTime: time.Second, ServeStaleFor: serveStaleFor})
				r.include("a", true)
				r.requireMember("a", true, healthy)
				time.Sleep(time.Second)
				r.include("a", false)
				require.NoError(t, r.store.SetLastUpToDate(t.Context(), 0))
				if serveStaleFor == 0 {
					r.requireMember("a", false, healthy) // the next poll is still to come
				} else {
					r.requireMember("a", true, stale)
					synctest.Wait()
					require.Equal(t, isStale, r.Status(), "the membership shows it before the next poll")
				}
				r.awaitPoll()
				require.Equal(t, isStale, r.Status())
				r.requireMember("a", serveStaleFor > 0, stale)
				r.requireMember("b", false, stale)

				time.Sleep(50 * time.Second)
				r.requireMember("a", serveStaleFor > 0, stale)
				time.Sleep(10 * time.Second)
				r.requireMember("a", false, stale)
				r.include("a", true)
				r.upToDate(time.Now())
				r.awaitPoll()
				r.requireMember("a", true, healthy)
			})
		})
	}
}

// awaitPoll waits until the store has been polled once more.
func (r *rig) awaitPoll() {
	time.Sleep(bigsegments.DefaultStatusPollInterval + time.Millisecond)
	synctest.Wait()
}

// A context that leaves its last segment is not taken for a wiped store.
func TestManager_Membership_BecomesEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{CacheTime: time.Second, ServeStaleFor: time.Minute})
		r.include("a", true)
		r.requireMember("a", true, healthy)
		r.include("a", false)
		time.Sleep(time.Second)
		r.requireMember("a", false, healthy)
		require.Equal(t, isHealthy, r.Status())
	})
}
