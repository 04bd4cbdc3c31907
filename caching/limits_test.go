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

// What is written and finds no room must not be followed by an older item whose reading began before.
func TestPromise3_NeverBackwards_WithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Minute), Capacity: 1, ReadTimeout: time.Hour})
		r.write("full", 1)
		r.write("x", 1)
		require.Equal(t, 1, r.version("full"))
		goOn := make(chan struct{})
		var first atomic.Bool
		r.store.setAfter(func(operation string) {
			if operation == "Get" && first.CompareAndSwap(false, true) {
				<-goOn
			}
		})
		var reader sync.WaitGroup
		reader.Go(func() {
			if _, found, err := r.wrapper.Get(t.Context(), core.Flags, "x"); !found || err != nil {
				t.Error(found, err)
			}
		})
		synctest.Wait()
		r.upsert("x", 2)
		require.Equal(t, 2, r.version("x"), "while the older read is under way")
		time.Sleep(10 * time.Second) // room is made
		close(goOn)
		reader.Wait()
		require.Equal(t, 2, r.version("x"), "after it has ended")
	})
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
