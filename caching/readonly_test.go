package caching_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

var errReplica = fmt.Errorf("replica: %w", core.ErrReadOnly)

func inTTLAndForever(t *testing.T, test func(t *testing.T, mode caching.Mode)) {
	t.Helper()
	for _, mode := range []caching.Mode{caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, mode) })
		})
	}
}

// A database that can be read and never be written costs an Init each time that writing is tried again, so that is tried
// only once a minute in the end, which is also how late it may be noticed that the database can be written.
func TestCachingStoreWrapper_ReadOnlyForGood_WritingIsTriedOnceAMinute(t *testing.T) {
	inTTLAndForever(t, func(t *testing.T, mode caching.Mode) {
		r := newRig(t, caching.Options{Mode: mode})
		r.init(1, "a")
		defer r.resendWhenStale(flags(2, "a"))()
		r.store.failWrites(errReplica)
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrReadOnly)
		r.requireOneInitAMinute()
		r.store.fail(nil)
		r.requireRestored("a", 2, 75*time.Second)
	})
}

// The same holds if the database is read-only when it comes back from an outage, after which it is read again.
func TestCachingStoreWrapper_ReadOnlyAfterAnOutage_IsReadAndWritingIsTriedOnceAMinute(t *testing.T) {
	inTTLAndForever(t, func(t *testing.T, mode caching.Mode) {
		r := newRig(t, caching.Options{Mode: mode})
		r.init(1, "a")
		defer r.resendWhenStale(flags(2, "a"))()
		r.store.fail(errors.New("cable cut"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.Error(t, err)
		time.Sleep(20 * time.Second)
		r.store.failWrites(errReplica)
		r.requireOneInitAMinute()
		_, found, err := r.wrapper.Get(t.Context(), core.DataKind("other"), "never read")
		require.NoError(t, err)
		require.False(t, found)
		r.store.fail(nil)
		r.requireRestored("a", 2, 75*time.Second)
	})
}

// A database that has been written in between is looked after as soon as ever when it is read-only again.
func TestCachingStoreWrapper_ReadOnlyAgain_IsSoonOver(t *testing.T) {
	inTTLAndForever(t, func(t *testing.T, mode caching.Mode) {
		r := newRig(t, caching.Options{Mode: mode})
		r.init(1, "a")
		defer r.resendWhenStale(flags(2, "a"))()
		for i, lasts := range []time.Duration{30 * time.Minute, 2 * time.Second} {
			r.store.failWrites(errReplica)
			_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2+i))
			require.ErrorIs(t, err, core.ErrReadOnly)
			time.Sleep(lasts)
			r.store.fail(nil)
			if lasts > time.Minute {
				r.requireRestored("a", 2, 75*time.Second)
				time.Sleep(5 * time.Second)
			}
		}
		r.requireRestored("a", 2, 20*time.Second)
	})
}

// A database in which other writers come first is not read-only.
func TestCachingStoreWrapper_Conflicts_AreSoonOver(t *testing.T) {
	inTTLAndForever(t, func(t *testing.T, mode caching.Mode) {
		r := newRig(t, caching.Options{Mode: mode})
		r.init(1, "a")
		defer r.resendWhenStale(flags(2, "a"))()
		r.store.failWrites(fmt.Errorf("busy: %w", core.ErrConflict))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrConflict)
		time.Sleep(10 * time.Minute)
		r.store.fail(nil)
		r.requireRestored("a", 2, 75*time.Second)
	})
}

// requireOneInitAMinute waits until the pauses are as long as they get, and counts.
func (r *rig) requireOneInitAMinute() {
	r.t.Helper()
	time.Sleep(30 * time.Minute)
	before := r.store.inits.Load() + r.store.upserts.Load()
	time.Sleep(time.Hour)
	require.InDelta(r.t, 60, r.store.inits.Load()+r.store.upserts.Load()-before, 20)
}

// requireRestored waits until the database is well and has the version, or a newer one.
func (r *rig) requireRestored(key string, version int, within time.Duration) {
	r.t.Helper()
	begin := time.Now()
	for r.inDatabase(key) < version || r.status() != available {
		require.Less(r.t, time.Since(begin), within)
		time.Sleep(100 * time.Millisecond)
	}
}

// A primary that becomes a replica for a moment is written again within seconds.
func TestCachingStoreWrapper_ReadOnlyForAMoment_IsSoonOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		r.init(1, "a")
		r.store.failWrites(errReplica)
		defer r.resendWhenStale(flags(2, "a"))()
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrReadOnly)
		time.Sleep(5 * time.Second)
		r.store.fail(nil)
		time.Sleep(10 * time.Second)
		r.requireStatus(true, false)
	})
}

// resendWhenStale does what a data source does: it sends everything again when the store says that it lacks something.
func (r *rig) resendWhenStale(data []core.Collection) (stop func()) {
	var sending atomic.Bool
	return r.wrapper.AddListener(func(status core.DataStoreStatus) {
		if status.Available && status.Stale && sending.CompareAndSwap(false, true) {
			go func() {
				defer sending.Store(false)
				_ = r.wrapper.Init(r.t.Context(), data)
			}()
		}
	})
}

// The long pauses are for writing. A failure of reads is looked after as soon as ever.
func TestCachingStoreWrapper_ReadOnlyForGood_OutageOfReadsIsSoonOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		r.store.failWrites(errReplica)
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrReadOnly)
		time.Sleep(30 * time.Minute)
		var checks atomic.Int64
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "CheckAvailability" {
				checks.Add(1)
			}
			return errors.New("cable cut")
		})
		_, _, err = r.wrapper.Get(t.Context(), core.DataKind("other"), "never read")
		require.ErrorContains(t, err, "cable cut")
		time.Sleep(time.Minute)
		before := checks.Load()
		require.Greater(t, before, int64(8), "often at first")
		time.Sleep(time.Minute)
		require.Greater(t, checks.Load(), before+2, "every 15 s")
	})
}
