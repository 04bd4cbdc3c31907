package caching_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

func TestCachingStoreWrapper_Capacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Minute), Capacity: 10})
		for i := range 100 {
			r.write(strconv.Itoa(i), 1)
			require.Equal(t, 1, r.version(strconv.Itoa(i)))
		}
		for i := range 10 {
			require.Equal(t, 1, r.version(strconv.Itoa(i)))
		}
		require.EqualValues(t, 100, r.store.gets.Load(), "the first ten were kept")
		require.Equal(t, 1, r.version("50"))
		require.EqualValues(t, 101, r.store.gets.Load(), "the others were not")
		r.upsert("50", 2)
		require.Equal(t, 2, r.version("50"), "what was written and not kept is read again")

		time.Sleep(10 * time.Second) // what is not in use makes room
		require.Equal(t, 1, r.version("70"))
		asked := r.store.gets.Load()
		require.Equal(t, 1, r.version("70"))
		require.Equal(t, asked, r.store.gets.Load())
	})
}

// What an Init brought is kept whole, so that the rewrite after an outage takes nothing away.
func TestCachingStoreWrapper_Capacity_RewriteKeepsEveryFlag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever(), Capacity: 2})
		r.init(1, "a", "b", "c", "d")
		time.Sleep(2 * time.Second) // room is made
		r.store.fail(core.ErrUnavailable)
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrUnavailable)
		r.store.fail(nil)
		time.Sleep(time.Minute)
		r.requireStatus(true, false)
		for key, version := range map[string]int{"a": 2, "b": 1, "c": 1, "d": 1} {
			require.Equal(t, version, r.inDatabase(key), key)
		}
	})
}

// A key for which there was no room is answered from what All has read.
func TestCachingStoreWrapper_Capacity_OutageKeepsWhatAllKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Capacity: 1})
		known := map[string]int{"a": 1, "b": 1, "c": 1}
		for key, version := range known {
			r.write(key, version)
		}
		require.Equal(t, known, r.all())
		r.store.fail(core.ErrUnavailable)
		time.Sleep(time.Minute)
		r.requireStatus(false, false)
		require.Equal(t, known, r.all())
		for key, version := range known {
			require.Equal(t, version, r.version(key), key)
		}
		require.Equal(t, -1, r.version("d"), "everything is known, and d is not among it")
	})
}

func TestCachingStoreWrapper_Capacity_AllHasEveryUpsert(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Forever(), caching.TTL(time.Minute)} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode, Capacity: 1})
				r.init(1, "a", "b")
				time.Sleep(2 * time.Second)
				for _, item := range []*core.Item{core.NewTombstone(core.Flags, "b", 2), flag("c", 2)} {
					key := map[bool]string{true: "b", false: "c"}[item.Deleted()]
					updated, err := r.wrapper.Upsert(t.Context(), core.Flags, key, item)
					require.NoError(t, err)
					require.True(t, updated)
				}
				require.Equal(t, map[string]int{"a": 1, "c": 2}, r.all())
			})
		})
	}
}

// A read of the whole kind that began before an upsert does not hide it, although there is no room for its key.
func TestCachingStoreWrapper_Capacity_LateGetAllDoesNotGoBackwards(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Forever(), caching.TTL(time.Minute)} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode, Capacity: 1})
				r.write("a", 1)
				r.write("b", 1)
				require.Equal(t, 1, r.version("a"))
				end := r.beginSlowGetAll(time.Second)
				r.upsert("b", 2)
				end()
				require.Equal(t, map[string]int{"a": 1, "b": 2}, r.all())
				require.Equal(t, 2, r.version("b"))
			})
		})
	}
}

// beginSlowGetAll begins an All whose read of the database has been done but takes until the given time to return. It
// returns a function that waits for it.
func (r *rig) beginSlowGetAll(lasts time.Duration) (end func()) {
	r.t.Helper()
	var first atomic.Bool
	r.store.setAfter(func(operation string) {
		if operation == "GetAll" && first.CompareAndSwap(false, true) {
			time.Sleep(lasts)
		}
	})
	var reader sync.WaitGroup
	reader.Go(func() {
		if _, err := r.wrapper.All(r.t.Context(), core.Flags); err != nil {
			r.t.Error(err)
		}
	})
	synctest.Wait()
	return reader.Wait
}

func TestCachingStoreWrapper_UnknownKeysAreLimited(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Hour), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.write("known", 1)
				for i := range 10_100 {
					require.Equal(t, -1, r.version(fmt.Sprint("made up ", i)))
				}
				asked := r.store.gets.Load()
				require.Equal(t, -1, r.version("made up 1"))
				require.Equal(t, asked, r.store.gets.Load(), "remembered")
				require.Equal(t, -1, r.version("made up 10050"))
				require.Equal(t, asked+1, r.store.gets.Load(), "not remembered")
				require.Equal(t, 1, r.version("known"))
				time.Sleep(time.Minute)
				require.Equal(t, -1, r.version("made up 10050"))
				asked = r.store.gets.Load()
				require.Equal(t, -1, r.version("made up 10050"))
				require.Equal(t, asked, r.store.gets.Load(), "room was made")
			})
		})
	}
}

func TestCachingStoreWrapper_UnknownKeysThatBecomeKnownDontCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Hour)})
		for i := range 10_000 {
			key := strconv.Itoa(i)
			require.Equal(t, -1, r.version(key))
			r.upsert(key, 1)
		}
		require.Equal(t, -1, r.version("unknown"))
		asked := r.store.gets.Load()
		require.Equal(t, -1, r.version("unknown"))
		require.Equal(t, asked, r.store.gets.Load())
	})
}

// An update that is not in the database yet is kept, whatever else has to go.
func TestCachingStoreWrapper_UnwrittenUpdateOutlivesEveryLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second), MaxStale: time.Second, Capacity: 1})
		r.init(1, "a")
		r.store.fail(errors.New("cable cut"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.Error(t, err)
		time.Sleep(time.Minute)
		require.Equal(t, 2, r.version("a"), "during the outage")
		r.store.fail(nil)
		time.Sleep(time.Minute)
		require.Equal(t, 2, r.version("a"), "after it")
	})
}
