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

// Promise 6 in Forever mode.
func TestPromise6_RecoveryRestoresTheDatabase_Forever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		var told steps
		defer r.wrapper.AddListener(told.add)()
		r.init(1, "a", "b", "c")
		r.store.fail(errors.New("cable cut"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorContains(t, err, "cable cut")
		_, err = r.wrapper.Upsert(t.Context(), core.Flags, "b", core.NewTombstone(core.Flags, "b", 2))
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.Equal(t, map[string]int{"a": 2, "c": 1}, r.all())
		r.db.Wipe()       // the server comes back empty
		r.write("c", 9)   // and another process was quicker
		r.store.fail(nil) // it can be reached again
		time.Sleep(time.Minute)
		synctest.Wait()

		require.Equal(t, []core.DataStoreStatus{unavailable, available}, told.all())
		require.Equal(t, 2, r.inDatabase("a"))
		require.Equal(t, 2, r.inDatabase("b"), "the tombstone")
		require.Equal(t, 9, r.inDatabase("c"), "what is newer stays")
		require.Equal(t, map[string]int{"a": 2, "c": 9}, r.all())
		initialized, err := r.other.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
	})
}

// Promise 6 in the other modes.
func TestPromise6_RecoveryRestoresTheDatabase_OtherModes(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.Off()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				var told steps
				defer r.wrapper.AddListener(told.add)()
				r.init(1, "a")
				r.store.fail(errors.New("cable cut"))
				_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
				require.Error(t, err)
				time.Sleep(time.Second)
				r.store.fail(nil)
				time.Sleep(time.Minute)
				if mode == caching.Off() {
					r.requireStatus(true, true)
					require.EqualValues(t, 1, r.store.inits.Load(), "nothing is written that the data source did not send")
					r.init(2, "a") // the data source sends everything again
					synctest.Wait()
					require.Equal(t, []core.DataStoreStatus{unavailable, stale, available}, told.all())
				} else {
					require.Equal(t, []core.DataStoreStatus{unavailable, available}, told.all(), "the wrapper restores it by itself")
				}
				require.Equal(t, 2, r.inDatabase("a"))
				require.Equal(t, 2, r.version("a"))
			})
		})
	}
}

// A write that was refused before the outage does not keep out the Init that a wiped database needs, although the status says
// once only that it is wanted.
func TestPromise6_RecoveryRestoresTheDatabase_WipedAfterARefusedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Off()})
		r.init(1, "a", "b")
		var told steps
		defer r.wrapper.AddListener(told.add)()
		defer r.resendWhenStale(flags(2, "a", "b"))()
		r.store.failWrites(core.ErrUnavailable)
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.Error(t, err)
		synctest.Wait()
		r.store.fail(core.ErrUnavailable)
		time.Sleep(time.Minute)
		r.requireStatus(false, false)
		r.db.Wipe()
		r.store.fail(nil)
		time.Sleep(time.Minute)
		require.Equal(t, []core.DataStoreStatus{unavailable, stale, available}, told.all())
		require.Equal(t, 2, r.inDatabase("a"))
		require.Equal(t, 2, r.inDatabase("b"))
	})
}

// A wiped database takes no writes for a while, and what is missed meanwhile is asked for, although the status has said before that
// everything is wanted.
func TestPromise6_RecoveryRestoresTheDatabase_UpdateMissedBehindTheInitOfAWipedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Off()})
		r.init(1, "a", "b")
		var last atomic.Int64
		last.Store(2)
		defer r.wrapper.AddListener(func(status core.DataStoreStatus) {
			if status.Available && status.Stale {
				go func() { _ = r.wrapper.Init(t.Context(), flags(int(last.Load()), "a", "b")) }()
			}
		})()
		r.store.failWrites(core.ErrUnavailable)
		r.db.Wipe()
		time.Sleep(11 * time.Second) // the wipe is noticed, and the Init fails
		last.Store(3)
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 3))
		require.Error(t, err)
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		require.Equal(t, 3, r.inDatabase("a"))
		require.Equal(t, 3, r.inDatabase("b"))
	})
}

// What was refused while everything waited to be written is asked for at once, and not after the status has said that all is well.
func TestPromise10_StatusChangesOnce_UpdateMissedBehindAnInit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Off()})
		r.init(1, "a", "b")
		var told steps
		defer r.wrapper.AddListener(told.add)()
		r.store.failWrites(core.ErrReadOnly)
		require.Error(t, r.wrapper.Init(t.Context(), flags(2, "a", "b")))
		synctest.Wait()
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 3))
		require.Error(t, err)
		r.store.fail(nil)
		time.Sleep(time.Minute)
		require.Equal(t, []core.DataStoreStatus{unavailable, stale}, told.all())
		require.Equal(t, 2, r.inDatabase("b"))
		r.init(3, "a", "b")
		synctest.Wait()
		require.Equal(t, []core.DataStoreStatus{unavailable, stale, available}, told.all())
	})
}

// The same without an outage: the database takes no writes, and is emptied meanwhile.
func TestPromise6_RecoveryRestoresTheDatabase_WipedWhileWritesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Off()})
		r.init(1, "a", "b")
		defer r.resendWhenStale(flags(2, "a", "b"))()
		r.store.failWrites(core.ErrReadOnly)
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.Error(t, err)
		time.Sleep(time.Minute)
		r.db.Wipe()
		time.Sleep(time.Minute)
		r.store.fail(nil)
		time.Sleep(2 * time.Minute)
		r.requireStatus(true, false)
		require.Equal(t, 2, r.inDatabase("a"))
		require.Equal(t, 2, r.inDatabase("b"))
	})
}

// What could not be written is not forgotten because an older version is read.
func TestPromise6_RecoveryRestoresTheDatabase_UnwrittenUpdateStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		r.init(1, "a", "b")
		r.store.fail(errors.New("cable cut"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.Error(t, err)
		r.store.fail(nil)
		r.write("b", 5)
		for range 100 {
			time.Sleep(time.Second)
			require.Equal(t, 2, r.version("a"))
			require.Equal(t, 2, r.all()["a"])
		}
		require.Equal(t, 5, r.version("b"))
		require.Equal(t, 2, r.inDatabase("a"))
		r.write("a", 3)
		time.Sleep(time.Minute)
		require.Equal(t, 3, r.version("a"))
	})
}

// A partial snapshot is never written: in Forever mode, too, only an Init of this process makes memory complete.
func TestPromise6_RecoveryRestoresTheDatabase_PartialSnapshotIsNeverWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.write("a", 1)
		r.write("b", 1)
		require.Equal(t, 1, r.version("a"))
		require.Len(t, r.all(), 2)
		r.upsert("a", 2)
		r.store.fail(errors.New("cable cut"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 3))
		require.Error(t, err)
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		require.Equal(t, 3, r.inDatabase("a"))
		require.Zero(t, r.store.inits.Load())
	})
}

// An Init that met the outage is as good as one before it.
func TestPromise6_RecoveryRestoresTheDatabase_InitDuringOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		errCut := errors.New("cable cut")
		r.store.fail(errCut)
		require.ErrorIs(t, r.wrapper.Init(t.Context(), flags(1, "a")), errCut)
		require.Error(t, r.wrapper.Init(t.Context(), flags(2, "a", "b")))
		require.Equal(t, map[string]int{"a": 2, "b": 2}, r.all())
		initialized, err := r.wrapper.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
		require.Equal(t, -1, r.inDatabase("a"))
		r.store.fail(nil)
		time.Sleep(time.Minute)
		require.Equal(t, 2, r.inDatabase("b"))
		r.requireStatus(true, false)
	})
}

func TestCachingStoreWrapper_Forever_RewriteThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		r.db.Wipe()
		r.store.failWrites(&core.PartialInitError{Total: 1, Err: core.ErrUnavailable})
		time.Sleep(time.Minute)
		r.requireStatus(false, false)
		require.Greater(t, r.store.inits.Load(), int64(2))
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "GetAll" {
				return errors.New("cannot be read")
			}
			return nil
		})
		time.Sleep(time.Minute)
		r.requireStatus(false, false)
		require.Equal(t, -1, r.inDatabase("a"))
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		require.Equal(t, 1, r.inDatabase("a"))
	})
}

// An update of a kind that no Init brought is written as well.
func TestCachingStoreWrapper_Rewrite_WritesUpdatesOfOtherKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		r.store.fail(core.ErrUnavailable)
		_, err := r.wrapper.Upsert(t.Context(), "metrics", "m", flag("m", 2))
		require.ErrorIs(t, err, core.ErrUnavailable)
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		stored, found, err := r.other.Get(t.Context(), "metrics", "m")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, flag("m", 2).JSON(), stored.Data)
	})
}

// A newer version that another process has written stays; a key that memory does not know goes, as with any Init.
func TestCachingStoreWrapper_Rewrite_RemovesWhatMemoryDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a", "b")
		r.store.fail(core.ErrUnavailable)
		time.Sleep(30 * time.Second)
		r.requireStatus(false, false)
		r.write("a", 7)
		r.write("new", 7)
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		require.Equal(t, 7, r.inDatabase("a"))
		require.Equal(t, 1, r.inDatabase("b"))
		require.Equal(t, -1, r.inDatabase("new"))
		require.Equal(t, map[string]int{"a": 7, "b": 1}, r.all())
	})
}

// A kind that cannot be read because it is damaged is mended by the rewrite instead of keeping it from happening.
func TestCachingStoreWrapper_Rewrite_MendsADamagedKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		var mended atomic.Bool
		r.store.set(func(_ context.Context, operation string) error {
			switch {
			case operation == "Init":
				mended.Store(true)
			case !mended.Load() && (operation == "GetAll" || operation == "Upsert"):
				return fmt.Errorf("wrong type: %w", core.ErrCorrupt)
			}
			return nil
		})
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrCorrupt)
		time.Sleep(time.Minute)
		require.True(t, mended.Load())
		r.requireStatus(true, false)
		require.Equal(t, 2, r.inDatabase("a"))
	})
}

// A database that comes back empty from an outage is filled whatever the writer did while the monitor noted that.
func TestWrapper_DatabaseEmptyAfterAnOutage_IsFilledEveryTime(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, caching.Options{Mode: caching.Forever()})
			r.init(1, "a", "b", "c")
			r.store.fail(core.ErrUnavailable)
			time.Sleep(30 * time.Second)
			r.db.Wipe()
			r.store.fail(nil)
			time.Sleep(30 * time.Second)
			r.requireStatus(true, false)
			require.Equal(t, 1, r.inDatabase("a"))
		})
	}
}
