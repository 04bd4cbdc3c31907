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
)

// What belongs to a version is written at the cursor before it. A poll has all of it and moves the cursor; what a stream
// brings leaves the cursor where it is until the version after it begins, or a poll has confirmed it.
func TestSynchronizer_Cursor_SeveralPatchesOfOneVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.Publish(includes("a.g1", "h1"), includes("b.g1", "h1"), includes("c.g1", "h1"))
		r.start(synchronizer.Options{})
		synctest.Wait()
		r.requireMoves([][2]string{{"", ""}, {"", ""}, {"", "rev-1"}})
		r.service.Publish(includes("d.g1", "h1"), includes("e.g1", "h1"))
		synctest.Wait()
		r.requireMoves([][2]string{{"rev-1", "rev-1"}, {"rev-1", "rev-1"}})
		r.service.Publish(includes("f.g1", "h1"))
		synctest.Wait()
		r.requireMember("h1", []string{"a.g1", "b.g1", "c.g1", "d.g1", "e.g1", "f.g1"}, nil)
		r.requireMoves([][2]string{{"rev-1", "rev-2"}, {"rev-2", "rev-2"}})
		time.Sleep(synchronizer.DefaultRefreshInterval)
		r.requireMoves([][2]string{{"rev-2", "rev-3"}}) // and nothing is written again
	})
}

// Whatever the patches of a version say that they follow, and in however many events they come, each is written at once.
func TestSynchronizer_Cursor_OneVersionInSeveralEvents(t *testing.T) {
	for _, form := range []mockbigsegments.Form{mockbigsegments.Held, mockbigsegments.Shared, mockbigsegments.Own} {
		for _, lagging := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.service.SetForm(form)
				r.service.SetEventSize(1)
				r.start(synchronizer.Options{})
				synctest.Wait()
				if lagging {
					r.service.Publish(includes("0.g1", "h2"))
				}
				last := r.service.Publish(includes("a.g1", "h1"), includes("b.g1", "h1"), includes("c.g1", "h1"))
				time.Sleep(2 * time.Second) // for the poll that tells to which version ambiguous patches belong
				r.requireMember("h1", []string{"a.g1", "b.g1", "c.g1"}, nil)
				time.Sleep(synchronizer.DefaultRefreshInterval)
				r.requireCursor(last)
				r.requireMember("h1", []string{"a.g1", "b.g1", "c.g1"}, nil)
				r.requireState(core.DataSourceValid)
			})
		}
	}
}

// A stream that is cut between two events of a version loses nothing of it.
func TestSynchronizer_Cursor_StreamIsCutWithinAVersion(t *testing.T) {
	for _, form := range []mockbigsegments.Form{mockbigsegments.Held, mockbigsegments.Shared, mockbigsegments.Own} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.service.SetForm(form)
			r.start(synchronizer.Options{})
			synctest.Wait()
			first := []mockbigsegments.Patch{
				{SegmentID: "a.g1", Version: "rev-1", Changes: adding("h1")}, // Shared and Own
				{SegmentID: "a.g1", Changes: adding("h1")},                   // Held
			}
			r.service.PublishUnseen(includes("a.g1", "h1"), includes("b.g1", "h1"))
			if form == mockbigsegments.Held {
				r.service.Send(first[1])
			} else {
				r.service.Send(first[0])
			}
			synctest.Wait()
			r.requireMember("h1", []string{"a.g1"}, nil)
			r.requireCursor("")
			require.Len(t, r.store.marked(), 1)
			r.service.Disconnect()
			r.store.trouble(func(_ context.Context, operation string) error {
				if operation == "SetLastUpToDate" {
					r.requireMember("h1", []string{"a.g1", "b.g1"}, nil)
				}
				return nil
			})
			time.Sleep(2 * time.Second)
			require.Len(t, r.store.marked(), 2)
			r.requireMember("h1", []string{"a.g1", "b.g1"}, nil)
			r.requireCursor("rev-1")
		})
	}
}

func adding(hashes ...string) mockbigsegments.Changes {
	return mockbigsegments.Changes{Included: mockbigsegments.Hashes{Add: hashes}}
}

// Every form in which a service may page an empty store fills it. The first poll has no cursor to name.
func TestSynchronizer_Cursor_EmptyStore(t *testing.T) {
	p := func(segment, version, previous string) mockbigsegments.Patch {
		return mockbigsegments.Patch{SegmentID: segment, Version: version, PreviousVersion: previous, Changes: adding("h1")}
	}
	for name, pages := range map[string][][]mockbigsegments.Patch{
		"one page":      {{p("a", "", ""), p("b", "", ""), p("c", "C1", ""), p("d", "C2", "C1")}},
		"two pages":     {{p("a", "", ""), p("b", "C1", "")}, {p("c", "C1", "C1"), p("d", "C2", "C1")}},
		"two in one":    {{p("a", "C1", ""), p("b", "C1", "C1"), p("c", "C1", "C1"), p("d", "C2", "C1")}},
		"older name":    {{p("a", "", ""), p("b", "C1", "")}, {p("c", "C1", ""), p("d", "C2", "C1")}},
		"same previous": {{p("a", "C1", ""), p("b", "C1", "")}, {p("c", "C2", "C1"), p("d", "C2", "C1")}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				for _, page := range pages {
					r.service.Next(mockbigsegments.PollPath, text(mockbigsegments.Text(page...)))
				}
				for range 10 {
					r.service.Next(mockbigsegments.PollPath, text("[]"))
				}
				r.start(synchronizer.Options{})
				synctest.Wait()
				r.requireState(core.DataSourceValid)
				r.requireCursor("C2")
				r.requireMember("h1", []string{"a", "b", "c", "d"}, nil)
				polls := r.service.Requests(mockbigsegments.PollPath)
				require.False(t, polls[0].URL.Query().Has("after"))
				require.Equal(t, "C2", polls[len(polls)-1].URL.Query().Get("after"))
			})
		})
	}
}

// Of several patches of one version that contradict each other, only what they amount to is ever written.
func TestSynchronizer_Cursor_ContradictionsAreSettledBeforehand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.Publish(includes("a.g1", "h1", "h2", "h2"), mockbigsegments.Change{Segment: "b.g1"},
			mockbigsegments.Change{Segment: "a.g1", Uninclude: []string{"h1"}}, includes("a.g1", "h3", "h2"))
		r.start(synchronizer.Options{})
		synctest.Wait()
		require.Equal(t, []core.BigSegmentPatch{{
			SegmentRef: "a.g1", Version: "rev-1",
			Included: core.BigSegmentChanges{Add: []string{"h2", "h3"}, Remove: []string{"h1"}},
		}}, r.store.patches)
	})
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
			r.service.SetForm(mockbigsegments.Form(kill % 3))
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
