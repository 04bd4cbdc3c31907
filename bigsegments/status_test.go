package bigsegments_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
)

func TestManager_Status_Staleness(t *testing.T) {
	for name, test := range map[string]struct {
		age  time.Duration
		want core.BigSegmentStoreStatus
	}{
		"just now":       {0, isHealthy},
		"at the limit":   {2 * time.Minute, isHealthy},
		"past the limit": {2*time.Minute + time.Millisecond, isStale},
		"in the future":  {-5 * time.Minute, isHealthy},
		"too far":        {-5*time.Minute - time.Millisecond, isStale},
		"absurd":         {-200 * 365 * 24 * time.Hour, isStale},
		"long ago":       {20 * 365 * 24 * time.Hour, isStale},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newStoreRig(t)
				r.upToDate(time.Now().Add(-test.age))
				r.open(bigsegments.Options{})
				require.Equal(t, test.want, r.Status())
			})
		})
	}
}

func TestManager_Status_NeverUpToDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStoreRig(t)
		require.NoError(t, r.store.SetLastUpToDate(t.Context(), 0))
		r.include("a", true)
		r.open(bigsegments.Options{})
		require.Equal(t, isStale, r.Status())
		r.requireMember("a", true, stale)
	})
}

func TestManager_Status_FirstEvaluationKnowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStoreRig(t)
		r.upToDate(time.Now().Add(-time.Hour))
		r.store.trouble(nil, func(context.Context) error { time.Sleep(time.Second); return nil })
		r.open(bigsegments.Options{})
		require.Equal(t, time.Second, elapsed(func() { r.requireMember("a", false, stale) }))
	})
}

func TestManager_Status_FirstPollFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStoreRig(t)
		r.store.trouble(nil, hangs)
		r.open(bigsegments.Options{QueryTimeout: time.Second})
		require.Equal(t, time.Second, elapsed(func() { require.Equal(t, isUnavailable, r.Status()) }))
		r.requireMember("a", false, storeError)
		r.requireQueries(0)
	})
}

// A store that breaks the contract by ignoring its context holds up no caller twice.
func TestManager_Status_DeafStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStoreRig(t)
		goOn := make(chan struct{})
		r.store.trouble(nil, func(context.Context) error { <-goOn; return nil })
		r.open(bigsegments.Options{QueryTimeout: time.Second})
		require.Equal(t, time.Second, elapsed(func() { r.requireMember("a", false, storeError) }))
		const grace = 10 * time.Millisecond
		require.LessOrEqual(t, elapsed(func() { r.requireMember("a", false, storeError) }), grace)
		require.Zero(t, elapsed(func() { require.Equal(t, isUnavailable, r.Status()) }))
		close(goOn)
		time.Sleep(250 * time.Millisecond)
		r.requireMember("a", false, healthy)
	})
}

func TestManager_Status_PolledAtTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{StatusPollInterval: 10 * time.Second})
		require.Equal(t, isHealthy, r.Status())
		for i := range 3 {
			time.Sleep(10*time.Second - 1)
			synctest.Wait()
			require.EqualValues(t, i+1, r.store.metadatas.Load())
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			require.EqualValues(t, i+2, r.store.metadatas.Load())
		}
	})
}

// With a long interval, the status nevertheless turns stale when it is time.
func TestManager_Status_TurnsStaleInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{StatusPollInterval: time.Hour})
		time.Sleep(2 * time.Minute)
		require.Equal(t, isHealthy, r.Status())
		time.Sleep(time.Second)
		require.Equal(t, isStale, r.Status())
		synctest.Wait()
		require.EqualValues(t, 2, r.store.metadatas.Load())
		time.Sleep(50 * time.Minute)
		require.EqualValues(t, 2, r.store.metadatas.Load())
	})
}

// Neither a very short time to turn stale nor an absurd time makes the store be polled all the time.
func TestManager_Status_IsNotPolledTooOften(t *testing.T) {
	for name, test := range map[string]struct {
		at         func() ldtime.UnixMillisecondTime
		staleAfter time.Duration
		most       int64 // polls in a minute
		want       core.BigSegmentStoreStatus
	}{
		"always just now": {ldtime.UnixMillisNow, time.Millisecond, 61, isHealthy},
		"absurd":          {func() ldtime.UnixMillisecondTime { return math.MaxUint64 }, time.Hour, 4, isStale},
		"very large":      {func() ldtime.UnixMillisecondTime { return math.MaxInt64 }, time.Hour, 4, isStale},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newStoreRig(t)
				r.store.trouble(nil, func(ctx context.Context) error { return r.store.SetLastUpToDate(ctx, test.at()) })
				r.open(bigsegments.Options{StatusPollInterval: 20 * time.Second, StaleAfter: test.staleAfter})
				time.Sleep(time.Minute)
				synctest.Wait()
				require.LessOrEqual(t, r.store.metadatas.Load(), test.most)
				require.Equal(t, test.want, r.Status())
			})
		})
	}
}

// Metadata that cannot be understood says nothing about memberships, only that it is not known how old they are.
func TestManager_Status_DamagedMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStoreRig(t)
		r.include("a", true)
		r.store.trouble(nil, fails(fmt.Errorf("no number: %w", core.ErrCorrupt)))
		r.open(bigsegments.Options{})
		require.Equal(t, isStale, r.Status())
		r.requireMember("a", true, stale)
		time.Sleep(time.Minute)
		require.Equal(t, isStale, r.Status())
		require.LessOrEqual(t, r.store.metadatas.Load(), int64(13), "it is no failure to be repeated")
		r.store.trouble(nil, nil)
		r.awaitPoll()
		r.requireMember("a", true, healthy)
	})
}

// A store that ignores its context does not keep its failure to itself, nor is it asked ever more.
func TestManager_Status_DeafMetadataIsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{QueryTimeout: time.Second})
		r.requireMember("a", false, healthy)
		goOn := make(chan struct{})
		r.store.trouble(nil, func(context.Context) error { <-goOn; return nil })
		time.Sleep(6*time.Second + 20*time.Millisecond)
		status := r.Status()
		time.Sleep(time.Minute)
		asked := r.store.metadatas.Load()
		close(goOn)
		require.Equal(t, isUnavailable, status)
		require.EqualValues(t, 2, asked)
		r.awaitPoll()
		require.Equal(t, isHealthy, r.Status())
	})
}

func TestManager_AddListener_EveryChangeOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBook
		r := newRig(t, bigsegments.Options{Logger: log.logger()})
		var seen, removed recorder
		r.AddListener(seen.listen)
		remove := r.AddListener(removed.listen)
		time.Sleep(30 * time.Second)
		require.Empty(t, seen.got(), "a status that is as expected is not announced")

		r.upToDate(time.Now().Add(-time.Hour))
		time.Sleep(30 * time.Second)
		r.store.trouble(nil, fails(errCable))
		time.Sleep(30 * time.Second)
		remove()
		r.store.trouble(nil, nil)
		time.Sleep(30 * time.Second)
		r.upToDate(time.Now())
		time.Sleep(30 * time.Second)
		require.Equal(t, []core.BigSegmentStoreStatus{isStale, isUnavailable, isStale, isHealthy}, seen.got())
		require.Equal(t, []core.BigSegmentStoreStatus{isStale, isUnavailable}, removed.got())
		require.Equal(t, 1, log.count(slog.LevelError))
		require.Equal(t, 2, log.count(slog.LevelWarn))
		require.Equal(t, 2, log.count(slog.LevelInfo))
	})
}

func TestManager_AddListener_FirstStatusIfNotHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStoreRig(t)
		r.store.trouble(nil, func(context.Context) error { time.Sleep(time.Second); return errCable })
		r.open(bigsegments.Options{})
		var seen recorder
		r.AddListener(seen.listen)
		time.Sleep(time.Minute)
		require.Equal(t, []core.BigSegmentStoreStatus{isUnavailable}, seen.got())
	})
}
