package bigsegments_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
)

// lookUp looks a context up and returns the time that took.
func lookUp(t *testing.T, l *bigsegments.Lookups, contextKey string) (status any, took time.Duration) {
	t.Helper()
	took = elapsed(func() { _, status = l.Membership(t.Context(), contextKey) })
	return status, took
}

func TestLookups_Membership_OneTimeoutForOneEvaluation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		r.requireMember("fresh", false, healthy)
		r.store.trouble(func(context.Context) error { time.Sleep(1900 * time.Millisecond); return nil }, nil)
		l := r.Lookups()
		status, took := lookUp(t, l, "0")
		require.Equal(t, healthy, status)
		require.Equal(t, 1900*time.Millisecond, took)
		status, took = lookUp(t, l, "1")
		require.Equal(t, storeError, status)
		require.Equal(t, 100*time.Millisecond, took)
		queries := r.store.memberships.Load()
		for i := 2; i < 8; i++ {
			status, took = lookUp(t, l, strconv.Itoa(i))
			require.Equal(t, storeError, status)
			require.Zero(t, took)
		}
		require.Equal(t, bigsegments.DefaultQueryTimeout, l.Waited())
		r.requireQueries(queries)
		status, _ = lookUp(t, l, "fresh")
		require.Equal(t, healthy, status, "what is known costs no time")
	})
}

func TestLookups_Membership_WaitsOnceForAContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.WithRandom(bigsegments.Options{CacheTime: time.Nanosecond}, func() float64 { return 0 }))
		r.include("slow", true)
		r.requireMember("slow", true, healthy)
		time.Sleep(time.Second)
		r.store.trouble(func(ctx context.Context) error {
			select {
			case <-time.After(1900 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, nil)
		l := r.Lookups()
		total := elapsed(func() {
			for range 30 {
				l.NextEvaluation()
				status, _ := lookUp(t, l, "slow")
				require.Equal(t, healthy, status)
				status, _ = lookUp(t, l, "late")
				require.Equal(t, storeError, status)
				time.Sleep(time.Second) // longer than a failed query is not repeated
			}
		})
		require.Equal(t, 2*time.Second+30*time.Second, total)
		l.Forget()
		status, took := lookUp(t, l, "late")
		require.Equal(t, healthy, status)
		require.Equal(t, 1900*time.Millisecond, took)
	})
}
