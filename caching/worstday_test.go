package caching_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// W2: what is delivered while the database hangs is visible at once, and no caller waits for the database for long.
func TestPromise6_DeliveredIsVisibleAtOnce_DatabaseHangs(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.Forever()} {
		for _, cold := range []bool{true, false} {
			t.Run(fmt.Sprint(mode, " cold ", cold), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{Mode: mode})
					if !cold {
						r.init(1, "a")
					}
					r.store.hang()
					for version := 2; version < 5; version++ {
						wait, err := r.wrapper.BeginInit(t.Context(), flags(version, "a"))
						require.NoError(t, err)
						require.Zero(t, elapsed(func() { require.Equal(t, version, r.version("a")) }))
						require.LessOrEqual(t, elapsed(func() { _ = wait(t.Context()) }), 2500*time.Millisecond)
					}
					require.Zero(t, elapsed(func() {
						_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 9))
						require.ErrorIs(t, err, core.ErrUnavailable)
					}), "once the database is known to be down")
					require.Equal(t, 9, r.version("a"))
					r.store.fail(nil)
					time.Sleep(10 * time.Second)
					require.Equal(t, 9, r.inDatabase("a"))
					r.requireStatus(true, false)
				})
			})
		}
	}
}

// failShare makes the given share of all operations fail.
func (t *troubled) failShare(share float64) {
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	t.set(func(context.Context, string) error {
		mu.Lock()
		defer mu.Unlock()
		if random.Float64() < share {
			return core.ErrUnavailable
		}
		return nil
	})
}

// W3: one failed call is one failed call.
func TestPromise5_OneFailedCall_IsOneFailedCall(t *testing.T) {
	for share, most := range map[float64]float64{0.001: 0.002, 0.01: 0.02, 0.1: 0.3} {
		for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second)} {
			t.Run(fmt.Sprint(mode, " ", share), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{Mode: mode})
					r.init(1, "a")
					var told steps
					defer r.wrapper.AddListener(told.add)()
					inits := r.store.inits.Load()
					r.store.failShare(share)
					failed := 0
					const reads = 20_000
					for i := range reads {
						time.Sleep(10 * time.Millisecond)
						if i%100 == 0 && mode != caching.Off() {
							_, _ = r.wrapper.Upsert(t.Context(), core.Flags, "b", flag("b", i+1))
						}
						if _, found, err := r.wrapper.Get(t.Context(), core.Flags, "a"); err != nil || !found {
							failed++
						}
					}
					require.LessOrEqual(t, float64(failed)/reads, most)
					if share <= 0.01 {
						require.LessOrEqual(t, r.store.inits.Load()-inits, int64(3))
						require.LessOrEqual(t, len(told.all()), 4)
					}
				})
			})
		}
	}
}

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

// W7 and W8: reads work and writes do not, for a reason that heals or not, or items cannot be read although checks succeed: the
// status does not flap, and nothing is written again and again.
func TestPromise10_StatusTellsTheTruthOnce(t *testing.T) {
	for name, fails := range map[string]func(operation string) error{
		"out of memory": func(operation string) error { return onWrites(operation, core.ErrReadOnly) },
		"scripts are refused": func(operation string) error {
			return onWrites(operation, errors.New("ERR unknown command 'EVALSHA'"))
		},
		"an Init is cut": func(operation string) error {
			if operation == "Init" {
				return &core.PartialInitError{Total: 2, Err: core.ErrUnavailable}
			}
			return nil
		},
		"items cannot be read": func(operation string) error {
			if operation == "Get" || operation == "GetAll" {
				return errors.New("WRONGTYPE")
			}
			return nil
		},
	} {
		for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second), caching.Forever()} {
			t.Run(fmt.Sprint(name, " ", mode), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{Mode: mode})
					r.init(1, "a")
					defer r.resendWhenStale(flags(2, "a"))()
					var told steps
					defer r.wrapper.AddListener(told.add)()
					writes := r.store.inits.Load() + r.store.upserts.Load()
					r.store.set(func(_ context.Context, operation string) error { return fails(operation) })
					for i := range 600 {
						time.Sleep(100 * time.Millisecond)
						switch i % 100 {
						case 0:
							_ = r.wrapper.Init(t.Context(), flags(i+2, "a"))
						case 50:
							_, _ = r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", i+2))
						}
						_, _, _ = r.wrapper.Get(t.Context(), core.Flags, "a")
						_, _, _ = r.wrapper.Get(t.Context(), core.Flags, fmt.Sprint("never read ", i))
					}
					synctest.Wait()
					require.LessOrEqual(t, len(told.all()), 3, "%v", told.all())
					require.LessOrEqual(t, r.store.inits.Load()+r.store.upserts.Load()-writes, int64(60))
					r.store.fail(nil)
					time.Sleep(2 * time.Minute)
					r.requireStatus(true, false)
				})
			})
		}
	}
}

func onWrites(operation string, err error) error {
	if operation == "Init" || operation == "Upsert" {
		return err
	}
	return nil
}

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
