package caching_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// A read of the whole kind that began before an upsert ends after a later read of the same key: that the item was read
// again since must not make it forgotten that it was written.
func TestPromise3_NeverBackwards_ReadInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(2 * time.Second), CheckInterval: time.Hour})
		r.write("a", 1)
		end := r.beginSlowGetAll(5 * time.Second)
		r.upsert("a", 2)
		time.Sleep(3 * time.Second)
		asked := r.store.gets.Load()
		require.Equal(t, 2, r.version("a"))
		synctest.Wait()
		require.Greater(t, r.store.gets.Load(), asked, "read again after its time to live")
		end()
		require.Equal(t, map[string]int{"a": 2}, r.all())
		require.Equal(t, 2, r.version("a"))
	})
}

// What was written during a read, dropped to make room, and read again is not replaced by what that first read brings.
func TestPromise3_NeverBackwards_DroppedAndReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Minute), Capacity: 1, ReadTimeout: time.Hour})
		r.write("a", 1)
		goOn := make(chan struct{})
		var first atomic.Bool
		r.store.setAfter(func(operation string) {
			if operation == "Get" && first.CompareAndSwap(false, true) {
				<-goOn
			}
		})
		var reader sync.WaitGroup
		reader.Go(func() {
			if _, found, err := r.wrapper.Get(t.Context(), core.Flags, "a"); !found || err != nil {
				t.Error(found, err)
			}
		})
		synctest.Wait()
		r.upsert("a", 2)
		time.Sleep(time.Second) // it was not read, and the cache is full
		asked := r.store.gets.Load()
		require.Equal(t, 2, r.version("a"))
		require.Equal(t, asked+1, r.store.gets.Load(), "read again")
		close(goOn)
		reader.Wait()
		require.Equal(t, 2, r.version("a"))
		require.Equal(t, map[string]int{"a": 2}, r.all())
	})
}
