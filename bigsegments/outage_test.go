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

// During an outage the store is asked at growing intervals by the manager alone, and the log gets a message about it and
// one about a context.
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
		// Those that failed before the outage was known, some to make sure of it, and those by which its end is noticed.
		require.LessOrEqual(t, r.store.memberships.Load()-queries, int64(25+16+25))
		require.GreaterOrEqual(t, r.store.memberships.Load()-queries, int64(12))
		require.LessOrEqual(t, r.store.metadatas.Load()-metadatas, int64(30))
		require.Equal(t, 1, log.count(slog.LevelWarn))
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
		require.Equal(t, 1, log.count(slog.LevelWarn))
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
		require.Equal(t, time.Second, elapsed(func() { r.requireMember("c", false, storeError) }), "it may be b alone")
		synctest.Wait()
		require.Zero(t, elapsed(func() { r.requireMember("d", false, storeError) }), "an outage costs no latency")
		require.Equal(t, isUnavailable, r.Status())
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
		require.Equal(t, 1, log.count(slog.LevelWarn))
		r.store.trouble(nil, nil)
		r.requireMember("b", false, healthy)
		time.Sleep(5 * time.Second)
		r.requireMember("a", false, healthy)
	})
}

// That a membership is damaged is an answer too.
func TestManager_Membership_OutageEndsWithADamagedMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		r.loseAll(fails(errCable))
		require.Equal(t, isUnavailable, r.Status())
		r.store.trouble(fails(core.ErrCorrupt), nil)
		time.Sleep(time.Second)
		require.Equal(t, isHealthy, r.Status())
	})
}

func TestManager_Membership_PanickingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		r.loseAll(func(context.Context) error { panic("store broke") })
		require.Equal(t, isUnavailable, r.Status())
	})
}

// loseAll makes the queries for all memberships fail, and waits until that is noticed.
func (r *rig) loseAll(trouble operation) {
	r.t.Helper()
	r.store.trouble(trouble, nil)
	for _, key := range []string{"a", "b", "c"} {
		r.requireMember(key, false, storeError)
	}
	time.Sleep(250 * time.Millisecond)
}
