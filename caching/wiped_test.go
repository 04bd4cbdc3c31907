package caching_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// From the moment at which the database is emptied, a known flag is there at every moment.
func TestPromise7_WipedDatabaseIsNoticed_KnownFlagsStay(t *testing.T) {
	for name, fill := range map[string]func(*rig){
		"by this process":    func(r *rig) { r.init(1, "a") },
		"by another process": func(r *rig) { r.otherInit(1, "a") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{})
				fill(r)
				require.Equal(t, 1, r.version("a"))
				require.Equal(t, map[string]int{"a": 1}, r.all())
				time.Sleep(11 * time.Second)
				r.db.Wipe()
				for range 600 {
					time.Sleep(100 * time.Millisecond)
					require.Equal(t, 1, r.version("a"))
					require.Equal(t, map[string]int{"a": 1}, r.all())
				}
				r.requireStatus(true, name == "by another process")
			})
		})
	}
}

// A read that found nothing in the emptied database, and ends when that has already been noticed, says nothing either.
func TestPromise7_WipedDatabaseIsNoticed_DuringARead(t *testing.T) {
	for name, read := range map[string]func(*rig){
		"Get": func(r *rig) { r.version("a") },
		"All": func(r *rig) { r.all() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: caching.TTL(time.Second), CheckInterval: 1500 * time.Millisecond})
				r.otherInit(1, "a")
				read(r)
				synctest.Wait()
				r.db.Wipe()
				r.store.setAfter(func(operation string) {
					if operation == "Get" || operation == "GetAll" {
						time.Sleep(1500 * time.Millisecond)
					}
				})
				time.Sleep(time.Second)
				read(r)
				time.Sleep(3 * time.Second)
				r.requireStatus(true, true)
				require.Equal(t, 1, r.version("a"))
				if name == "All" {
					require.Equal(t, map[string]int{"a": 1}, r.all())
				}
				r.store.set(nil)
				time.Sleep(time.Minute)
				r.requireStatus(true, true)
				require.Equal(t, 1, r.version("a"))
			})
		})
	}
}

// A process that only reads and never asks whether the database is initialised knows it from the first item on, so that
// a database that is emptied soon after the start is noticed too.
func TestPromise7_WipedDatabaseIsNoticed_SoonAfterTheStart(t *testing.T) {
	for name, read := range map[string]func(*rig){
		"Get": func(r *rig) { r.version("a") },
		"All": func(r *rig) { r.all() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{})
				r.otherInit(1, "a", "b")
				read(r)
				synctest.Wait()
				r.db.Wipe()
				time.Sleep(time.Minute)
				r.requireStatus(true, true)
				require.Equal(t, 1, r.version("a"))
			})
		})
	}
}

// The question is asked once, also if the database holds items and is not marked as initialised.
func TestCachingStoreWrapper_FirstItem_AsksForTheMarkOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{CheckInterval: time.Hour})
		require.Equal(t, -1, r.version("unknown"))
		synctest.Wait()
		require.Zero(t, r.store.checks.Load(), "nothing was found")
		for _, key := range []string{"a", "b", "c"} {
			r.write(key, 1)
			require.Equal(t, 1, r.version(key))
			synctest.Wait()
		}
		require.Len(t, r.all(), 3)
		synctest.Wait()
		require.EqualValues(t, 1, r.store.checks.Load())
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
