package caching_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// W4: all flags are gone although the mark is there, as after an eviction: readers keep what they know, and a process that
// has everything writes it again.
func TestPromise7_WipedDatabaseIsNoticed_FlagsAreEvicted(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.TTL(0), caching.Forever()} {
		for _, writes := range []bool{true, false} {
			t.Run(fmt.Sprint(mode, " writes ", writes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{Mode: mode})
					if writes {
						r.init(1, "a", "b")
					} else {
						r.otherInit(1, "a", "b")
						require.Len(t, r.all(), 2)
						synctest.Wait()
					}
					for _, key := range []string{"a", "b"} {
						r.db.DeleteRaw("", core.Flags, key)
					}
					for range 400 {
						time.Sleep(50 * time.Millisecond)
						require.Equal(t, map[string]int{"a": 1, "b": 1}, r.all())
						require.Equal(t, 1, r.version("a"))
					}
					if writes {
						require.Equal(t, 1, r.inDatabase("a"), "within 20 s")
						r.requireStatus(true, false)
						return
					}
					r.requireStatus(true, true)
					r.otherInit(2, "a", "b")
					time.Sleep(20 * time.Second)
					r.requireStatus(true, false)
				})
			})
		}
	}
}

// An eviction that updates by others follow, all at once or one a second, is not taken for deletions by a process that has
// everything: its values stay, and it fills the database again.
func TestPromise7_EvictedFlags_UpdatesFollow(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.TTL(0), caching.Forever()} {
		for _, updated := range []int{5, 30, 45} {
			for _, pause := range []time.Duration{0, time.Second} {
				t.Run(fmt.Sprint(mode, " ", updated, " updated every ", pause), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var keys []string
						for i := range 50 {
							keys = append(keys, fmt.Sprint("flag ", i))
						}
						r := newRig(t, caching.Options{Mode: mode})
						r.init(1, keys...)
						for _, key := range keys {
							r.db.DeleteRaw("", core.Flags, key)
						}
						go func() {
							for _, key := range keys[:updated] {
								r.write(key, 2)
								time.Sleep(pause)
							}
						}()
						for range 200 {
							time.Sleep(100 * time.Millisecond)
							require.Len(t, r.all(), 50)
							require.NotZero(t, r.version(keys[49]))
						}
						if updated < 25 {
							require.Equal(t, 1, r.inDatabase(keys[49]), "within 20 s")
						}
						time.Sleep(10 * time.Minute) // the fewer are gone, the longer it may take until one is asked for
						require.Equal(t, 2, r.inDatabase(keys[0]))
						require.Equal(t, 1, r.inDatabase(keys[49]))
						r.requireStatus(true, false)
					})
				})
			}
		}
	}
}

// Without a cache, the wrapper knows some keys of what it brought, and asks for the rest.
func TestPromise7_EvictionIsNoticed_WithoutACache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var keys []string
		for i := range 50 {
			keys = append(keys, fmt.Sprint("flag ", i))
		}
		r := newRig(t, caching.Options{Mode: caching.Off()})
		r.init(1, keys...)
		var told steps
		defer r.wrapper.AddListener(told.add)()
		defer r.resendWhenStale(flags(1, keys...))()
		for _, key := range keys {
			r.db.DeleteRaw("", core.Flags, key)
		}
		r.write(keys[49], 2) // an update followed
		time.Sleep(time.Minute)
		require.Equal(t, []core.DataStoreStatus{stale, available}, told.all())
		require.Equal(t, 1, r.inDatabase(keys[0]))
		require.Equal(t, 1, r.inDatabase(keys[48]))

		for _, key := range keys[:48] { // what this process deletes is not lost
			_, err := r.wrapper.Upsert(t.Context(), core.Flags, key, core.NewTombstone(core.Flags, key, 3))
			require.NoError(t, err)
			r.db.DeleteRaw("", core.Flags, key)
		}
		time.Sleep(time.Minute)
		require.Len(t, told.all(), 2)
	})
}

// A writer that deletes before it writes, as an Init of another SDK does, has lost nothing.
func TestPromise7_EvictionIsNoticed_WithoutACache_NotForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Off()})
		r.init(1, "a", "b")
		var told steps
		defer r.wrapper.AddListener(told.add)()
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "Get" { // the monitor looks
				r.db.DeleteRaw("", core.Flags, "a")
				r.db.DeleteRaw("", core.Flags, "b")
				time.AfterFunc(500*time.Millisecond, func() { r.otherInit(2, "a", "b") })
				r.store.set(nil)
			}
			return nil
		})
		time.Sleep(time.Minute)
		require.Empty(t, told.all())
	})
}
