package caching_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// Promise 5.
func TestPromise5_AnOutageCostsNoLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), ReadTimeout: 2 * time.Second})
		r.init(1, "a", "b")
		r.store.hang()
		time.Sleep(time.Minute) // everything has expired, and the watch over the database has found out

		r.requireStatus(false, false)
		asked := r.store.gets.Load() + r.store.getAlls.Load() + r.store.upserts.Load()
		waited := elapsed(func() {
			require.Equal(t, 1, r.version("a"))
			require.Equal(t, map[string]int{"a": 1, "b": 1}, r.all())
			require.Equal(t, -1, r.version("never heard of"), "everything is known, and this is not among it")
			_, _, err := r.wrapper.Get(t.Context(), core.Segments, "x")
			require.NoError(t, err)
			_, err = r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
			require.ErrorIs(t, err, core.ErrUnavailable)
			require.Equal(t, 2, r.version("a"), "what the data source said last counts")
			initialized, err := r.wrapper.Initialized(t.Context())
			require.NoError(t, err)
			require.True(t, initialized)
		})
		require.Zero(t, waited)
		require.Equal(t, asked, r.store.gets.Load()+r.store.getAlls.Load()+r.store.upserts.Load(), "the database was asked")
	})
}

func TestPromise5_AnOutageCostsNoLatency_KnownIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), ReadTimeout: 2 * time.Second, CheckInterval: time.Hour})
		r.write("early", 1)
		r.write("late", 1)
		require.Equal(t, 1, r.version("early"))
		require.Equal(t, 1, r.version("late"))
		time.Sleep(time.Minute)
		r.store.hang()
		var early sync.WaitGroup
		early.Go(func() {
			if item, found, err := r.wrapper.Get(t.Context(), core.Flags, "early"); !found || err != nil || item.Version() != 1 {
				t.Errorf("Get = %v, %v, %v", item, found, err)
			}
		})
		synctest.Wait()
		waited := elapsed(early.Wait)
		require.Equal(t, 50*time.Millisecond, waited, "what is known is not waited for any longer")
		time.Sleep(time.Second)
		waited = elapsed(func() { require.Equal(t, 1, r.version("late")) })
		require.Zero(t, waited, "and not at all once the database is known to be slow")
		time.Sleep(2 * time.Second)
		r.requireStatus(false, false)
	})
}

func TestPromise5_MaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), MaxStale: time.Minute})
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		r.store.fail(errors.New("cable cut"))
		time.Sleep(30 * time.Second)
		require.Equal(t, 1, r.version("a"))
		time.Sleep(time.Minute)
		_, _, err := r.wrapper.Get(t.Context(), core.Flags, "a")
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.ErrorContains(t, err, "cable cut")
		_, err = r.wrapper.All(t.Context(), core.Flags)
		require.ErrorIs(t, err, core.ErrUnavailable)
	})
}

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

// Promise 7.
func TestPromise7_WipedDatabaseIsNoticed_Forever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		var told steps
		defer r.wrapper.AddListener(told.add)()
		r.init(1, "a", "b")
		time.Sleep(time.Minute)
		r.db.Wipe()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []core.DataStoreStatus{unavailable, available}, told.all())
		require.Equal(t, 1, r.inDatabase("a"))
		initialized, err := r.other.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
	})
}

func TestPromise7_WipedDatabaseIsNoticed_TTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		var told steps
		defer r.wrapper.AddListener(told.add)()
		r.init(1, "a", "b")
		r.db.Wipe()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []core.DataStoreStatus{unavailable, available}, told.all(), "and only once")
		require.Equal(t, 1, r.inDatabase("b"))
	})
}

// A process that only reads says so too, until the writing process has filled the database again.
func TestPromise7_WipedDatabaseIsNoticed_Reader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
		fill := func() {
			require.NoError(t, r.other.Init(t.Context(), []core.SerializedCollection{{
				Kind:  core.Flags,
				Items: []core.KeyedSerializedItem{{Key: "a", Item: flag("a", 1).Serialized(core.Flags, "a")}},
			}}))
		}
		fill()
		initialized, err := r.wrapper.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
		r.db.Wipe()
		time.Sleep(time.Minute)
		r.requireStatus(true, true)
		fill()
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		require.Equal(t, 1, r.version("a"))
	})
}

// An item that vanishes makes the wrapper look at once.
func TestPromise7_WipedDatabaseIsNoticed_ByAMissingItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second), CheckInterval: time.Hour})
		r.init(1, "a")
		r.db.Wipe()
		time.Sleep(1100 * time.Millisecond)
		require.Equal(t, 1, r.version("a"))
		synctest.Wait()
		require.Equal(t, 1, r.inDatabase("a"), "memory is whole, and was written again")
		r.requireStatus(true, false)
	})
}

// Promise 8.
func TestPromise8_OneBadItemIsOneBadItem(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.write("good", 1)
				r.db.WriteRaw("", core.Flags, "bad", []byte(`{"key":"bad","ver`))
				requireBad := func(err error) {
					t.Helper()
					var item *core.ItemError
					require.ErrorAs(t, err, &item)
					require.Equal(t, "bad", item.Key)
					require.Equal(t, core.Flags, item.Kind)
					require.ErrorIs(t, err, core.ErrCorrupt)
				}
				for range 2 {
					items, err := r.wrapper.All(t.Context(), core.Flags)
					requireBad(err)
					require.Len(t, items, 1)
					require.Contains(t, items, "good")
					_, found, err := r.wrapper.Get(t.Context(), core.Flags, "bad")
					requireBad(err)
					require.False(t, found)
					require.Equal(t, 1, r.version("good"))
				}
				r.requireStatus(true, false)

				r.upsert("bad", 2)
				require.Equal(t, 2, r.version("bad"))
				require.Len(t, r.all(), 2)
			})
		})
	}
}

func TestPromise8_OneBadItemIsOneBadItem_MendedElsewhere(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.db.WriteRaw("", core.Flags, "bad", []byte(`[]`))
				_, _, err := r.wrapper.Get(t.Context(), core.Flags, "bad")
				require.ErrorIs(t, err, core.ErrCorrupt)
				_, err = r.wrapper.All(t.Context(), core.Flags)
				require.ErrorIs(t, err, core.ErrCorrupt)
				r.write("bad", 2)
				time.Sleep(10 * time.Second)
				require.Equal(t, 2, r.version("bad"))
				require.Len(t, r.all(), 1)
			})
		})
	}
}
