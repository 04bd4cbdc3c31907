package caching_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

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
		time.Sleep(3 * time.Second)
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

// One wipe, no refill. A whole-kind read that began before an upsert of "b" lacks "b", so the mark is asked for (still true),
// then the database is wiped, then the second read finds nothing.
func TestPromise7_WipedDatabaseIsNoticed_BetweenMarkAndSecondRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second), CheckInterval: time.Hour})
		r.init(1, "a")
		require.Equal(t, 1, r.version("a"))
		reads := 0
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "GetAll" {
				if reads++; reads == 2 {
					r.db.Wipe()
				}
			}
			return nil
		})
		upserted := false
		r.store.setAfter(func(operation string) {
			if operation == "GetAll" && !upserted {
				upserted = true
				_, err := r.wrapper.Upsert(context.Background(), core.Flags, "b", flag("b", 2))
				require.NoError(t, err)
			}
		})
		time.Sleep(1500 * time.Millisecond)
		require.Equal(t, map[string]int{"a": 1, "b": 2}, r.all())
		require.Equal(t, 2, r.version("b"))
		require.Equal(t, 1, r.version("a"), "a was believed to be gone")
	})
}

// A database that is emptied before an item is read, and has been filled again when it is asked whether it is initialised,
// has not lost the item.
func TestCachingStoreWrapper_EmptiedAndFilledAgain_LosesNothing(t *testing.T) {
	for name, read := range map[string]func(r *rig) int{
		"Get": func(r *rig) int { return r.version("a") },
		"All": func(r *rig) int { return r.all()["a"] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
				r.init(1, "a")
				require.Equal(t, 1, read(r))
				r.db.Wipe()
				var fill sync.Once
				r.store.set(func(_ context.Context, operation string) error {
					if operation == "Initialized" {
						fill.Do(func() {
							require.NoError(t, r.other.Init(t.Context(), []core.SerializedCollection{{
								Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "a", Item: flag("a", 1).Serialized(core.Flags, "a")}},
							}}))
						})
					}
					return nil
				})
				for range 50 {
					time.Sleep(100 * time.Millisecond)
					require.Equal(t, 1, read(r))
				}
				r.requireStatus(true, false)
			})
		})
	}
}

// A reader of two flags of many learns that another process's Init has removed both, and goes on being well.
func TestPromise9_ReaderOfFew_LearnsThatAllOfThemAreGone(t *testing.T) {
	for _, n := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
			r.otherInit(1, "a", "b", "c", "d", "e")
			keys := []string{"a", "b"}[:n]
			for _, key := range keys {
				require.Equal(t, 1, r.version(key))
			}
			r.otherInit(2, "c", "d", "e")
			for range 40 {
				time.Sleep(time.Second)
				for _, key := range keys {
					r.version(key)
				}
			}
			for _, key := range keys {
				require.Equal(t, -1, r.version(key))
			}
			r.requireStatus(true, false)
		})
	}
}

// That the only known item of a kind is missing is logged once, however often it is looked for.
func TestCachingStoreWrapper_OnlyItemMissing_LoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRig(t, caching.Options{
			Mode: caching.TTL(time.Second), Logger: slog.New(slog.NewTextHandler(&log, nil)), CheckInterval: time.Second,
		})
		r.filledByAnother(1)
		r.otherInit(1) // of segments alone
		for range 100 {
			require.Equal(t, 1, r.version("flag-0"), "kept")
			time.Sleep(time.Second)
		}
		require.NoError(t, r.wrapper.Close())
		require.Equal(t, 1, strings.Count(log.String(), "missing"), fmt.Sprint(&log))
	})
}
