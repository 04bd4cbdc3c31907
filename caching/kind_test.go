package caching_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// Promise 3: the database is read, then the flag is upserted, and only then the read returns.
func TestPromise3_NeverBackwards(t *testing.T) {
	for name, read := range map[string]func(r *rig) error{
		"Get": func(r *rig) error {
			_, _, err := r.wrapper.Get(r.t.Context(), core.Flags, "a")
			return err
		},
		"All": func(r *rig) error {
			_, err := r.wrapper.All(r.t.Context(), core.Flags)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: caching.TTL(time.Minute)})
				r.write("a", 1)
				goOn := make(chan struct{})
				r.store.setAfter(func(operation string) {
					if operation == "Get" || operation == "GetAll" {
						<-goOn
					}
				})
				var reader sync.WaitGroup
				reader.Go(func() {
					if err := read(r); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				r.upsert("a", 2)
				require.Equal(t, 2, r.version("a"), "right after the upsert")
				close(goOn)
				reader.Wait()
				require.Equal(t, 2, r.version("a"), "after the older read ended")
				require.Equal(t, map[string]int{"a": 2}, r.all())
			})
		})
	}
}

func TestPromise3_NeverBackwards_UpsertsThatOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		goOn := make(chan struct{})
		r.store.setAfter(func(string) { <-goOn })
		var slow sync.WaitGroup
		slow.Go(func() {
			if _, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		r.store.setAfter(nil)
		r.upsert("a", 3)
		close(goOn)
		slow.Wait()
		require.Equal(t, 3, r.version("a"))
	})
}

// Of two reads that overlap, the one that ends last may be the one that was served first.
func TestPromise3_NeverBackwards_OverlappingReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Minute)})
		r.write("a", 1)
		end := r.beginSlowGetAll(time.Second)
		r.write("a", 2)
		require.Equal(t, 2, r.version("a"))
		end()
		require.Equal(t, 2, r.version("a"))
		require.Equal(t, map[string]int{"a": 2}, r.all())
	})
}

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

// What a load found is not kept if a report arrived meanwhile, and then memory does not pass for the whole.
func TestPromise3_NeverBackwards_ReportDuringALoadOfANewKey(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Minute), caching.Forever()} {
		synctest.Test(t, func(t *testing.T) {
			r := newRigWatching(t, caching.Options{Mode: mode}, true)
			r.store.byKind.Store(true)
			r.otherInit(1, "d")
			synctest.Wait()
			require.Equal(t, map[string]int{"d": 1}, r.all())
			goOn := map[string]chan struct{}{"Get": make(chan struct{}), "GetAll": make(chan struct{})}
			r.store.set(func(_ context.Context, operation string) error {
				if begin := goOn[operation]; begin != nil {
					<-begin
				}
				return nil
			})
			var reader sync.WaitGroup
			reader.Go(func() {
				item, _, err := r.wrapper.Get(context.Background(), core.Flags, "e")
				if err != nil || item.Version() != 5 {
					t.Error(item, err)
				}
			})
			synctest.Wait()
			r.write("e", 5) // the report of which begins a GetAll
			synctest.Wait()
			close(goOn["Get"])
			reader.Wait()
			time.AfterFunc(100*time.Millisecond, func() { close(goOn["GetAll"]) })
			require.Equal(t, map[string]int{"d": 1, "e": 5}, r.all())
		})
	}
}
