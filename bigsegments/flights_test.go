package bigsegments_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
)

// maxQueries is how many queries there may be at once, by the documentation of the package.
const maxQueries = 100

// gauge makes queries take some time, and measures how many there are at once.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) slow(latency time.Duration) operation {
	return func(ctx context.Context) error {
		now := g.now.Add(1)
		defer g.now.Add(-1)
		for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
		}
		select {
		case <-time.After(latency):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// crowd looks up n contexts at once, of which the first is called "<from>", each for the given time at most, and returns
// how many lookups had which status.
func (r *rig) crowd(from, n int, limit time.Duration) map[ldreason.BigSegmentsStatus]int {
	var (
		callers  sync.WaitGroup
		mu       sync.Mutex
		statuses = map[ldreason.BigSegmentsStatus]int{}
	)
	for i := range n {
		callers.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			_, status := r.Membership(ctx, strconv.Itoa(from+i))
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	callers.Wait()
	return statuses
}

type statuses = map[ldreason.BigSegmentsStatus]int

// Those who get no turn within the query time-out cost the store nothing, and say nothing about it.
func TestManager_Membership_SlowStoreIsAskedAFewTimesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{QueryTimeout: time.Second, CacheTime: time.Hour})
		var g gauge
		r.store.trouble(g.slow(400*time.Millisecond), nil)
		took := elapsed(func() {
			require.Equal(t, statuses{healthy: 2 * maxQueries, storeError: 8 * maxQueries}, r.crowd(0, 10*maxQueries, time.Hour))
		})
		require.Equal(t, time.Second, took)
		require.EqualValues(t, maxQueries, g.most.Load())
		time.Sleep(time.Minute)
		r.requireQueries(3 * maxQueries) // the last of which were sent and too late
		require.Equal(t, isHealthy, r.Status())
	})
}

func TestManager_Membership_NothingIsSentForCallersWhoHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{ServeStaleFor: time.Hour})
		r.requireMember("0", false, healthy)
		time.Sleep(bigsegments.DefaultCacheTime)
		var g gauge
		r.store.trouble(g.slow(1900*time.Millisecond), nil)
		go r.crowd(1, maxQueries, time.Hour)
		synctest.Wait()
		took := elapsed(func() {
			require.Equal(t, statuses{storeError: 10_000 - 1, stale: 1}, r.crowd(0, 10_000, 100*time.Millisecond))
		})
		require.Equal(t, 100*time.Millisecond, took)
		time.Sleep(time.Minute)
		r.requireQueries(1 + maxQueries)
		require.Equal(t, isHealthy, r.Status())
		r.store.trouble(nil, nil)
		require.Equal(t, statuses{healthy: 1000}, r.crowd(0, 1000, time.Hour), "all turns have come back")
	})
}

// A caller who leaves takes no other caller's turn away.
func TestManager_Membership_TurnIsOfAllWhoWaitForTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		var g gauge
		r.store.trouble(g.slow(900*time.Millisecond), nil)
		var callers sync.WaitGroup
		callers.Go(func() { r.crowd(1, maxQueries, time.Hour) })
		synctest.Wait()
		for i := range 10 {
			callers.Go(func() {
				want := healthy
				limit := time.Hour
				if i%2 == 0 {
					want, limit = storeError, time.Duration(i+1)*time.Millisecond
				}
				if got := r.crowd(0, 1, limit); got[want] != 1 {
					t.Errorf("caller %d: %v", i, got)
				}
			})
			synctest.Wait()
		}
		callers.Wait()
		r.requireQueries(maxQueries + 1)
		require.EqualValues(t, maxQueries, g.most.Load())
	})
}

func TestManager_Membership_HungStoreIsNotHammered(t *testing.T) {
	for name, limit := range map[string]time.Duration{"patient callers": time.Hour, "impatient callers": 10 * time.Millisecond} {
		for store, hung := range map[string]func(released chan struct{}) operation{
			"heeds contexts": func(chan struct{}) operation { return hangs },
			"deaf": func(released chan struct{}) operation {
				return func(context.Context) error { <-released; return errCable }
			},
		} {
			t.Run(fmt.Sprint(name, ", ", store), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, bigsegments.Options{QueryTimeout: time.Second})
					r.requireMember("x", false, healthy)
					released := make(chan struct{})
					defer close(released)
					r.store.trouble(hung(released), hangs)
					go r.crowd(0, 1000, limit)
					time.Sleep(time.Second - 1)
					require.Equal(t, isHealthy, r.Status())
					go r.crowd(1000, 1000, time.Hour)
					time.Sleep(1030 * time.Millisecond) // the metadata has been asked for, too
					require.Equal(t, isUnavailable, r.Status())
					require.Zero(t, elapsed(func() { require.Equal(t, statuses{storeError: 1000}, r.crowd(2000, 1000, time.Hour)) }))
					require.LessOrEqual(t, r.store.memberships.Load(), int64(1+2*maxQueries))
				})
			})
		}
	}
}

// Far more contexts than the store can answer for must not keep all callers from being answered in time.
func TestManager_Membership_LastingOverloadIsServedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{QueryTimeout: time.Second})
		var g gauge
		r.store.trouble(g.slow(400*time.Millisecond), nil)
		var answered atomic.Int64
		var callers sync.WaitGroup
		for i := range 100 { // 10 s, in which 25 times maxQueries can be made
			callers.Go(func() { answered.Add(int64(r.crowd(i*maxQueries, maxQueries, time.Hour)[healthy])) })
			time.Sleep(100 * time.Millisecond)
		}
		callers.Wait()
		require.GreaterOrEqual(t, answered.Load(), int64(24*maxQueries))
		require.LessOrEqual(t, answered.Load(), int64(30*maxQueries))
		require.Equal(t, isHealthy, r.Status())
	})
}

func TestManager_Close_EndsWaitingForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		var g gauge
		r.store.trouble(g.slow(time.Second), nil)
		var callers sync.WaitGroup
		callers.Go(func() {
			if got := r.crowd(0, 1000, time.Hour); got[storeError] != 1000 {
				t.Error(got)
			}
		})
		time.Sleep(time.Millisecond)
		require.Zero(t, elapsed(func() { require.NoError(t, r.Close()) }))
		require.Zero(t, elapsed(callers.Wait))
		time.Sleep(time.Minute)
		r.requireQueries(maxQueries)
	})
}
