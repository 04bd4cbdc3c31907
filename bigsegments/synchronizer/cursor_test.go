package synchronizer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
	"github.com/cleatdev/cleat/memorystore"
)

// Of the patches of a version, the last one moves the cursor.
func TestSynchronizer_Cursor_SeveralPatchesOfOneVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.Publish(includes("a.g1", "h1"), includes("b.g1", "h1"), includes("c.g1", "h1"))
		r.start(synchronizer.Options{})
		synctest.Wait()
		r.service.Publish(includes("d.g1", "h1"), includes("e.g1", "h1"))
		r.service.Publish(includes("f.g1", "h1"))
		synctest.Wait()
		var moves [][2]string
		for _, patch := range r.store.patches {
			moves = append(moves, [2]string{patch.PreviousVersion, patch.Version})
		}
		require.Equal(t, [][2]string{
			{"", ""}, {"", ""}, {"", "rev-1"}, {"rev-1", "rev-1"}, {"rev-1", "rev-2"}, {"rev-2", "rev-3"},
		}, moves)
		r.requireMember("h1", []string{"a.g1", "b.g1", "c.g1", "d.g1", "e.g1", "f.g1"}, nil)
	})
}

// Patches of one version may come one by one, and say either that they follow the version before or their own.
func TestSynchronizer_Cursor_OneVersionInSeveralEvents(t *testing.T) {
	for _, previous := range []string{"", "rev-1"} {
		t.Run(previous, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.start(synchronizer.Options{})
				synctest.Wait()
				add := mockbigsegments.Changes{Included: mockbigsegments.Hashes{Add: []string{"h1"}}}
				polls := r.polls()
				r.service.Send(mockbigsegments.Patch{SegmentID: "a.g1", Version: "rev-1", Changes: add})
				r.service.Send(mockbigsegments.Patch{
					SegmentID: "b.g1", Version: "rev-1", PreviousVersion: previous, Changes: add,
				})
				synctest.Wait()
				r.requireCursor("rev-1")
				r.requireMember("h1", []string{"a.g1", "b.g1"}, nil)
				require.Equal(t, polls, r.polls())
			})
		})
	}
}

func TestSynchronizer_Cursor_StoreIsAheadOfTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.Publish(includes("a.g1", "h1"))
		r.service.Publish(mockbigsegments.Change{Segment: "a.g1", Uninclude: []string{"h1"}})
		r.start(synchronizer.Options{})
		synctest.Wait()
		r.service.Send(mockbigsegments.Patch{
			SegmentID: "a.g1", Version: "rev-1",
			Changes: mockbigsegments.Changes{Included: mockbigsegments.Hashes{Add: []string{"h1"}}},
		})
		time.Sleep(2 * time.Second)
		r.requireCursor("rev-2")
		r.requireMember("h1", nil, nil)
		r.requireState(core.DataSourceValid)
	})
}

// However far a synchroniser has come when it is killed, the next one goes on from there.
func TestSynchronizer_Cursor_KilledAfterAnyPatch(t *testing.T) {
	for kill := range 30 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			h := newHistory(t, 7)
			for range 10 {
				r.service.Publish(h.next()...)
			}
			var calls atomic.Int64
			r.store.trouble(func(_ context.Context, operation string) error {
				if operation == "ApplyPatch" && calls.Add(1) > int64(kill) {
					return errors.New("killed")
				}
				return nil
			})
			killed := r.make(r.store, synchronizer.Options{})
			killed.Start(t.Context())
			synctest.Wait()
			stop(killed)
			r.store.trouble(nil)
			r.start(synchronizer.Options{})
			synctest.Wait()
			r.requireCursor("rev-10")
			h.require(t, r.store)
		})
	}
}

// Several synchronisers fill one store, some of them with delays in the middle of what they do.
func TestSynchronizer_Cursor_SeveralSynchronisersOnOneStore(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			h := newHistory(t, seed)
			r.service.SetPageSize(1 + int(seed%3))
			for range 10 {
				r.service.Publish(h.next()...)
			}
			for i := range 3 {
				store := &observed{store: memorystore.NewBigSegments(r.db, nil)}
				var calls atomic.Int64
				store.trouble(func(context.Context, string) error {
					time.Sleep(time.Duration((calls.Add(1)*int64(i+1)*7+int64(seed))%23) * time.Millisecond)
					return nil
				})
				s := r.make(store, synchronizer.Options{})
				s.Start(t.Context())
				t.Cleanup(func() {
					stop(s)
					require.NoError(t, store.Close())
				})
			}
			for range 20 {
				time.Sleep(5 * time.Millisecond)
				r.service.Publish(h.next()...)
			}
			time.Sleep(30 * time.Second)
			r.requireCursor("rev-30")
			h.require(t, r.store)
		})
	}
}
