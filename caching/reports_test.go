package caching_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// W13: of a database that changes all the time, a process that watches it reads no more than what is in use once in a TTL.
func TestPromise9_ChangesMadeElsewhereArrive_WithinABudget(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(0), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRigWatching(t, caching.Options{Mode: mode}, true)
				r.store.byKind.Store(true) // as if LaunchDarkly's SDKs wrote
				const all, used = 400, 40  // of 2 KB each
				padding := fmt.Sprintf("%02000d", 0)
				write := func(i, version int) {
					data := fmt.Appendf(nil, `{"key":"f%d","version":%d,"on":false,"salt":%q}`, i, version, padding)
					r.db.WriteRaw("", core.Flags, fmt.Sprint("f", i), data)
				}
				for i := range all {
					write(i, 1)
				}
				for i := range used {
					require.Equal(t, 1, r.version(fmt.Sprint("f", i)))
				}
				var bytesRead atomic.Int64
				r.store.setAfter(func(operation string) {
					switch operation {
					case "Get":
						bytesRead.Add(2000)
					case "GetAll":
						bytesRead.Add(2000 * all)
					}
				})
				const period = 2 * time.Minute
				version := 1
				for range int(period / (500 * time.Millisecond)) {
					version++
					write(version%all, version)
					time.Sleep(500 * time.Millisecond)
					for i := range used {
						_ = r.version(fmt.Sprint("f", i))
					}
				}
				perTTL := bytesRead.Load() / int64(period/caching.DefaultTTL)
				require.LessOrEqual(t, perTTL, int64(4*2000*used), "bytes in a TTL, of %d in use", 2000*used)
				time.Sleep(2 * caching.DefaultTTL)
				for i := range used {
					require.Equal(t, r.inDatabase(fmt.Sprint("f", i)), r.version(fmt.Sprint("f", i)))
				}
			})
		})
	}
}

func TestPromise9_ChangesMadeElsewhereArrive_ManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := newWatchingRig(t, caching.TTL(time.Hour))
		require.Empty(t, r.all())
		const many = 3000
		for i := range many {
			r.write(strconv.Itoa(i), 1)
		}
		time.Sleep(2 * caching.DefaultTTL) // what is read because of reports is bounded
		flagsAnnounced := map[core.Change]int{}
		for _, change := range told.take() {
			flagsAnnounced[change]++
		}
		delete(flagsAnnounced, core.Change{Kind: core.Segments}) // of which nothing is known
		require.Len(t, flagsAnnounced, many)
		for change, times := range flagsAnnounced {
			require.Equal(t, 1, times, change.Key)
		}
		require.Len(t, r.all(), many)
	})
}

// Changes that are reported by name arrive at once, also when there are many of them for a while.
func TestPromise9_ChangesByName_ArriveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWatching(t, caching.Options{}, true)
		keys := r.filledByAnother(100)
		for i := range 250 {
			key, version := keys[i%len(keys)], 2+i
			r.write(key, version)
			time.Sleep(16 * time.Millisecond)
			require.Equal(t, version, r.version(key))
		}
		require.LessOrEqual(t, r.store.gets.Load(), int64(2*len(keys)+250), "each costs one item, and the beginning of the watch all")
		require.Zero(t, r.store.getAlls.Load())
	})
}
