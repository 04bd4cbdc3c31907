package bigsegments_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
)

// During an outage the store is asked at growing intervals by the manager alone, and the log gets two messages.
func TestManager_Membership_FailingQueriesNeitherHammerNorFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBook
		r := newRig(t, bigsegments.Options{Logger: log.logger()})
		var seen recorder
		r.AddListener(seen.listen)
		r.requireMember("a", false, healthy)
		r.store.trouble(fails(errCable), nil)
		queries, metadatas := r.store.memberships.Load(), r.store.metadatas.Load()
		for i := range 6000 { // a minute
			r.requireMember(strconv.Itoa(i), false, storeError)
			time.Sleep(10 * time.Millisecond)
		}
		require.Equal(t, isUnavailable, r.Status())
		require.LessOrEqual(t, r.store.memberships.Load()-queries, int64(30))
		require.GreaterOrEqual(t, r.store.memberships.Load()-queries, int64(12))
		require.LessOrEqual(t, r.store.metadatas.Load()-metadatas, int64(30))
		require.Equal(t, 1, log.count(slog.LevelError))

		r.upToDate(time.Now())
		r.store.trouble(nil, nil)
		time.Sleep(5*time.Second + time.Millisecond)
		require.Equal(t, isHealthy, r.Status(), "without any lookup")
		r.requireMember("b", false, healthy)
		synctest.Wait()
		require.Equal(t, []core.BigSegmentStoreStatus{isUnavailable, isHealthy}, seen.got())
		require.Equal(t, 1, log.count(slog.LevelError))
		require.Equal(t, 1, log.count(slog.LevelInfo))
		require.Zero(t, log.count(slog.LevelWarn))
	})
}

func TestManager_Membership_ShortFailureIsSoonOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		r.requireMember("a", false, healthy)
		r.store.trouble(fails(errCable), nil)
		r.requireMember("b", false, storeError)
		r.store.trouble(nil, nil)
		time.Sleep(250 * time.Millisecond)
		r.requireMember("b", false, healthy)
	})
}

func TestManager_Membership_MetadataFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{CacheTime: time.Minute})
		r.include("a", true)
		r.requireMember("a", true, healthy)
		r.store.trouble(nil, fails(errCable))
		time.Sleep(5*time.Second + time.Millisecond)
		require.Equal(t, isUnavailable, r.Status())
		r.requireMember("a", true, stale)
		r.requireMember("b", false, storeError)
		r.requireQueries(1)
	})
}

func TestManager_Membership_LastKnownDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{CacheTime: time.Second, ServeStaleFor: time.Minute})
		r.include("a", true)
		r.requireMember("a", true, healthy)
		r.store.trouble(fails(errCable), fails(errCable))
		time.Sleep(time.Second)
		r.requireMember("a", true, stale)
		r.requireMember("b", false, storeError)
		time.Sleep(time.Minute - 1)
		r.requireMember("a", true, stale)
		time.Sleep(time.Nanosecond)
		r.requireMember("a", false, storeError)
		r.upToDate(time.Now())
		r.store.trouble(nil, nil)
		time.Sleep(5*time.Second + time.Millisecond)
		r.requireMember("a", true, healthy)
	})
}

func TestManager_Membership_LastKnownIsNotServedByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{CacheTime: time.Second})
		r.include("a", true)
		r.requireMember("a", true, healthy)
		r.store.trouble(fails(errCable), fails(errCable))
		time.Sleep(time.Second)
		r.requireMember("a", false, storeError)
	})
}

// A caller without patience gets what was known if that may be used, and otherwise nothing.
func TestManager_Membership_LastKnownForACallerWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{ServeStaleFor: time.Minute})
		r.include("a", true)
		r.requireMember("a", true, healthy)
		time.Sleep(6 * time.Second)
		r.store.trouble(func(context.Context) error { time.Sleep(time.Second); return nil }, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		membership, status := r.Membership(ctx, "a")
		require.Equal(t, stale, status)
		require.Equal(t, 1, membership.Len())
		require.Equal(t, isHealthy, r.Status())
	})
}

func TestManager_Membership_HangingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{QueryTimeout: time.Second})
		r.requireMember("a", false, healthy)
		r.store.trouble(hangs, hangs)
		require.Equal(t, time.Second, elapsed(func() { r.requireMember("b", false, storeError) }))
		require.Zero(t, elapsed(func() { r.requireMember("c", false, storeError) }), "an outage costs no latency")
		require.Equal(t, isUnavailable, r.Status())
	})
}

// A store that breaks the contract by not heeding its context must not hold up evaluations either.
func TestManager_Membership_DeafStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{QueryTimeout: time.Second})
		goOn := make(chan struct{})
		r.store.trouble(func(context.Context) error { <-goOn; return nil }, nil)
		require.Equal(t, time.Second, elapsed(func() { r.requireMember("b", false, storeError) }))
		require.Zero(t, elapsed(func() { r.requireMember("c", false, storeError) }))
		close(goOn)
	})
}

func TestManager_Membership_DamagedConcernsOneContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBook
		r := newRig(t, bigsegments.Options{CacheTime: time.Millisecond, Logger: log.logger()})
		r.store.trouble(fails(fmt.Errorf("wrong type: %w", core.ErrCorrupt)), nil)
		for i := range 100 {
			r.requireMember("a", false, storeError)
			r.requireMember(strconv.Itoa(i), false, storeError)
			time.Sleep(10 * time.Millisecond)
		}
		r.requireQueries(101)
		require.Equal(t, isHealthy, r.Status())
		require.Equal(t, 1, log.count(slog.LevelError))
		r.store.trouble(nil, nil)
		r.requireMember("b", false, healthy)
		time.Sleep(5 * time.Second)
		r.requireMember("a", false, healthy)
	})
}

// A query that failed is repeated; that the membership is damaged is an answer too.
func TestManager_Membership_OutageEndsWithADamagedMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		r.store.trouble(fails(errCable), nil)
		r.requireMember("a", false, storeError)
		require.Equal(t, isUnavailable, r.Status())
		r.store.trouble(fails(core.ErrCorrupt), nil)
		time.Sleep(time.Second)
		require.Equal(t, isHealthy, r.Status())
	})
}

func TestManager_Membership_PanickingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		r.store.trouble(func(context.Context) error { panic("store broke") }, nil)
		r.requireMember("a", false, storeError)
		require.Equal(t, isUnavailable, r.Status())
	})
}
