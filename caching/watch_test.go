package caching_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// announced collects the changes that listeners are told of.
type announced struct {
	mu      sync.Mutex
	changes []core.Change
}

func (a *announced) add(change core.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changes = append(a.changes, change)
}

// take waits until nothing more is going on, and returns and forgets what was announced.
func (a *announced) take() []core.Change {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := a.changes
	a.changes = nil
	return taken
}

func flagChange(key string) core.Change { return core.Change{Kind: core.Flags, Key: key} }

func newWatchingRig(t *testing.T, mode caching.Mode) (*rig, *announced) {
	t.Helper()
	r := newRigWatching(t, caching.Options{Mode: mode}, true)
	told := &announced{}
	r.wrapper.AddChangeListener(told.add)
	synctest.Wait() // until the watch has begun
	return r, told
}

// Promise 9, in a process that has no data source of its own.
func TestPromise9_ChangesMadeElsewhereArrive(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Hour), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, told := newWatchingRig(t, mode)
				r.otherInit(1, "a", "b", "c")
				require.ElementsMatch(t, []core.Change{{Kind: core.Segments}, {Kind: core.Flags}}, told.take(), "nothing was known")
				require.Equal(t, 1, r.version("a"))
				require.Len(t, r.all(), 3)

				r.write("a", 2)
				require.Equal(t, []core.Change{flagChange("a")}, told.take())
				require.Equal(t, 2, r.version("a"))
				require.Equal(t, map[string]int{"a": 2, "b": 1, "c": 1}, r.all())

				_, err := r.other.Upsert(t.Context(), core.Flags, "b", core.NewTombstone(core.Flags, "b", 2).Serialized(core.Flags, "b"))
				require.NoError(t, err)
				require.Equal(t, []core.Change{flagChange("b")}, told.take())
				require.Equal(t, -1, r.version("b"))

				r.otherInit(1, "a", "c", "d")
				time.Sleep(3 * time.Second) // an older version and a missing flag are not believed at first sight
				require.ElementsMatch(t, []core.Change{{Kind: core.Segments}, flagChange("a"), flagChange("d")}, told.take(),
					"c is what it was, and nothing is known of segments")
				require.Equal(t, map[string]int{"a": 1, "c": 1, "d": 1}, r.all())
				require.Equal(t, 1, r.version("d"))

				r.db.WriteRaw("", core.Flags, "a", flag("a", 1).JSON())
				require.Empty(t, told.take(), "written again unchanged")
			})
		})
	}
}

func TestPromise9_ChangesMadeElsewhereArrive_WithinATick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newWatchingRig(t, caching.TTL(time.Hour))
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		r.write("a", 2)
		synctest.Wait()
		require.Zero(t, elapsed(func() { require.Equal(t, 2, r.version("a")) }))
	})
}

// In Forever mode memory counts, but what is newer in the database is newer.
func TestPromise9_ChangesMadeElsewhereArrive_InAProcessThatWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := newWatchingRig(t, caching.Forever())
		r.init(5, "a", "b")
		told.take() // it may be told of its own Init, which reached the database before it reached memory
		r.upsert("a", 6)
		told.take() // as above
		r.write("a", 7)
		require.Equal(t, []core.Change{flagChange("a")}, told.take())
		require.Equal(t, 7, r.version("a"))
		r.otherInit(1, "b")
		require.Empty(t, told.take())
		require.Equal(t, map[string]int{"a": 7, "b": 5}, r.all())
	})
}

// A load that began before the change ends after it.
func TestPromise9_ChangesMadeElsewhereArrive_DuringALoad(t *testing.T) {
	for name, known := range map[string]bool{"of a known key": true, "of an unknown key": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, told := newWatchingRig(t, caching.TTL(time.Minute))
				r.write("a", 1)
				if known {
					require.Equal(t, 1, r.version("a"))
					time.Sleep(2 * time.Minute)
				}
				told.take()
				goOn := make(chan struct{})
				var first atomic.Bool
				r.store.setAfter(func(string) {
					if first.CompareAndSwap(false, true) {
						<-goOn
					}
				})
				var reader sync.WaitGroup
				reader.Go(func() {
					if _, _, err := r.wrapper.Get(t.Context(), core.Flags, "a"); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				r.write("a", 2)
				require.Equal(t, []core.Change{flagChange("a")}, told.take())
				close(goOn)
				reader.Wait()
				require.Equal(t, 2, r.version("a"))
			})
		})
	}
}

func TestPromise9_ChangesMadeElsewhereArrive_AfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := newWatchingRig(t, caching.TTL(time.Hour))
		r.otherInit(1, "a")
		told.take()
		require.Len(t, r.all(), 1)
		r.store.fail(errors.New("cable cut"))
		_, _, err := r.wrapper.Get(t.Context(), core.Segments, "unknown")
		require.Error(t, err)
		r.write("a", 2)
		require.Empty(t, told.take())
		r.store.fail(nil)
		time.Sleep(time.Minute)
		require.Contains(t, told.take(), flagChange("a"))
		require.Equal(t, 2, r.version("a"))
	})
}

// slowWatch is a store whose watch begins when the test says so, as that of a server far away does after some round trips.
type slowWatch struct {
	*troubled
	begin chan struct{}
}

func (s slowWatch) Watch(ctx context.Context, changed func(core.Change)) error {
	select {
	case <-s.begin:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Store.Watch(ctx, changed)
}

// What changes between the first read and the beginning of the watch is announced in every mode, and a watch that begins
// before anything was read announces nothing.
func TestPromise9_ChangesMadeElsewhereArrive_BeforeTheWatchBegins(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Hour), caching.Forever()} {
		for _, reads := range []bool{true, false} {
			t.Run(fmt.Sprint(mode, " ", reads), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					db := &memorystore.Database{}
					store := slowWatch{&troubled{Store: memorystore.New(db, nil)}, make(chan struct{})}
					w, err := caching.NewCachingStoreWrapper(store, &caching.Options{Mode: mode, Logger: quiet})
					require.NoError(t, err)
					defer func() { require.NoError(t, w.Close()) }()
					told := &announced{}
					w.AddChangeListener(told.add)
					if reads {
						_, err := w.All(t.Context(), core.Flags)
						require.NoError(t, err)
					}
					_, err = store.Store.Upsert(t.Context(), core.Flags, "a", flag("a", 1).Serialized(core.Flags, "a"))
					require.NoError(t, err)
					close(store.begin)
					require.Equal(t, reads, len(told.take()) > 0)
				})
			})
		}
	}
}

func TestPromise9_ChangesMadeElsewhereArrive_Off(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := newWatchingRig(t, caching.Off())
		r.write("a", 1)
		require.Equal(t, []core.Change{flagChange("a")}, told.take())
		_, err := r.other.Upsert(t.Context(), "other", "x", flag("x", 1).Serialized("other", "x"))
		require.NoError(t, err)
		require.Equal(t, []core.Change{{Kind: "other", Key: "x"}}, told.take())
	})
}

func TestPromise9_ChangesMadeElsewhereArrive_OtherKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := newWatchingRig(t, caching.TTL(time.Hour))
		write := func(version int) {
			_, err := r.other.Upsert(t.Context(), "other", "x", flag("x", version).Serialized("other", "x"))
			require.NoError(t, err)
		}
		write(1)
		require.Equal(t, []core.Change{{Kind: "other", Key: "x"}}, told.take())
		_, found, err := r.wrapper.Get(t.Context(), "other", "x")
		require.NoError(t, err)
		require.True(t, found)
		write(2)
		require.Equal(t, []core.Change{{Kind: "other", Key: "x"}}, told.take())
		item, _, err := r.wrapper.Get(t.Context(), "other", "x")
		require.NoError(t, err)
		require.Equal(t, 2, item.Version())
	})
}

// unwatchable says that it can be watched and then that it cannot.
type unwatchable struct{ core.FeatureStoreCore }

func (unwatchable) Watch(context.Context, func(core.Change)) error {
	return errors.New("notifications are switched off")
}

func TestPromise9_ChangesMadeElsewhereArrive_WatchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := caching.NewCachingStoreWrapper(unwatchable{memorystore.New(nil, nil)}, &caching.Options{Logger: quiet})
		require.NoError(t, err)
		synctest.Wait()
		_, found, err := w.Get(t.Context(), core.Flags, "a")
		require.NoError(t, err)
		require.False(t, found)
		require.NoError(t, w.Close())
	})
}

func TestCachingStoreWrapper_DisableWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Minute)})
		var told announced
		r.wrapper.AddChangeListener(told.add)
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		r.write("a", 2)
		require.Empty(t, told.take())
		require.Equal(t, 1, r.version("a"))
	})
}

// A cache that reads nothing again and is not told of changes warns of it.
func TestCachingStoreWrapper_ForeverWithoutWatch_Warns(t *testing.T) {
	for name, test := range map[string]struct {
		options caching.Options
		warns   bool
	}{
		"forever, not watched": {caching.Options{Mode: caching.Forever(), DisableWatch: true}, true},
		"forever, watched":     {caching.Options{Mode: caching.Forever()}, false},
		"TTL, not watched":     {caching.Options{DisableWatch: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				test.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
				newRigWatching(t, test.options, !test.options.DisableWatch)
				time.Sleep(time.Second)
				synctest.Wait()
				if test.warns {
					require.Contains(t, log.String(), "nothing that is cached is read again")
				} else {
					require.Empty(t, log.String())
				}
			})
		})
	}
}

func TestPromise9_ChangesMadeElsewhereArrive_SameContentInAnotherOrderIsNone(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Hour), caching.Forever()} {
		synctest.Test(t, func(t *testing.T) {
			r, told := newWatchingRig(t, mode)
			r.otherInit(1, "a", "b")
			synctest.Wait()
			require.Len(t, r.all(), 2)
			_, err := r.wrapper.All(t.Context(), core.Segments)
			require.NoError(t, err)
			told.take()
			reordered := func(on bool) []byte {
				return fmt.Appendf(nil, `{"on":%t, "future":"kept", "version":1, "key":"a"}`, on)
			}
			rewrite := func(data []byte) {
				require.NoError(t, r.other.Init(t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
					{Key: "a", Item: core.SerializedItem{Version: 1, Data: data}},
					{Key: "b", Item: flag("b", 1).Serialized(core.Flags, "b")},
				}}}))
			}
			rewrite(reordered(false))
			require.Empty(t, told.take())
			rewrite(reordered(true))
			require.Equal(t, []core.Change{flagChange("a")}, told.take())
		})
	}
}

// A read that was under way when a change was reported does not stand in for the one that the report calls for.
func TestPromise9_ReadUnderWay_DoesNotHideAChange(t *testing.T) {
	for _, byKind := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRigWatching(t, caching.Options{Mode: caching.TTL(10 * time.Second), CheckInterval: time.Hour}, true)
			r.store.byKind.Store(byKind)
			r.otherInit(1, "a")
			require.Equal(t, 1, r.version("a"))
			time.Sleep(5 * time.Second)
			require.Equal(t, 1, r.version("a")) // in use, so that it is read again
			goOn := make(chan struct{})
			var first atomic.Bool
			r.store.setAfter(func(operation string) {
				if operation == "Get" && first.CompareAndSwap(false, true) {
					<-goOn
				}
			})
			for !first.Load() {
				time.Sleep(100 * time.Millisecond)
			}
			r.write("a", 2)
			time.Sleep(time.Second)
			require.Equal(t, 2, r.version("a"))
			close(goOn)
			synctest.Wait()
			require.Equal(t, 2, r.version("a"))
		})
	}
}
