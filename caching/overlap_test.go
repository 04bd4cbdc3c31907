package caching_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

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

// A store that two clients share by mistake is closed by the first one of them that is.
func TestCachingStoreWrapper_StoreClosedElsewhere_IsAnOutage(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(1, "a")
				require.NoError(t, r.store.Close())
				time.Sleep(time.Minute)
				r.requireStatus(false, false)
				_, _, err := r.wrapper.Get(t.Context(), "other", "never read")
				require.ErrorIs(t, err, core.ErrUnavailable)
				require.ErrorContains(t, err, "closed by another owner")
				require.NotErrorIs(t, err, core.ErrClosed)
				if mode != caching.Off() {
					require.Equal(t, 1, r.version("a"))
				}
			})
		})
	}
}

// In Forever mode evaluations do not ask an uninitialised database again; the regular check finds out.
func TestCachingStoreWrapper_Initialized_ForeverAsksAtRegularChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		ask := func() bool {
			initialized, err := r.wrapper.Initialized(t.Context())
			require.NoError(t, err)
			return initialized
		}
		require.False(t, ask())
		r.otherInit(1, "a")
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			require.False(t, ask())
		}
		require.EqualValues(t, 1, r.store.checks.Load())
		time.Sleep(caching.DefaultCheckInterval)
		require.True(t, ask())
		require.Equal(t, 1, r.version("a"))
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
