package caching_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

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

// A read of what memory has no room for takes no longer because all data is replaced meanwhile, again and again.
func TestCachingStoreWrapper_Read_DataReplacedAgainAndAgain_EndsInTime(t *testing.T) {
	const readTime, initEvery = 1500 * time.Millisecond, time.Second
	for name, opts := range map[string]caching.Options{
		"off": {Mode: caching.Off()}, "no room": {Mode: caching.TTL(time.Hour), Capacity: 1},
	} {
		for operation, read := range map[string]func(*rig) int{
			"Get": func(r *rig) int { return r.version("b") },
			"All": func(r *rig) int { return r.all()["b"] },
		} {
			t.Run(name+" "+operation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, opts)
					r.init(1, "a", "b")
					r.store.set(func(_ context.Context, operation string) error {
						if strings.HasPrefix(operation, "Get") {
							time.Sleep(readTime)
						}
						return nil
					})
					var inits sync.WaitGroup
					defer inits.Wait()
					inits.Go(func() {
						for version := 2; version < 20; version++ {
							time.Sleep(initEvery)
							r.init(version, "a", "b")
						}
					})
					time.Sleep(initEvery / 2)
					require.Less(t, elapsed(func() { require.NotZero(t, read(r)) }), 2*readTime+initEvery)
				})
			})
		}
	}
}
