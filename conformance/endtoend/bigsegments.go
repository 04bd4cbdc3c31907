package endtoend

import (
	"fmt"
	"strconv"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

func bigSegmentTests() group {
	return group{"BigSegments", []subtest{
		{"MembershipDecides", testBigMembership},
		{"UpdatesOfFlagsKeepMemberships", testBigKept},
		{"NeverFilledIsStale", testBigNeverFilled},
		{"OutdatedIsStale", testBigOutdated},
		{"WithoutAStoreNobodyIsIn", testBigNotConfigured},
	}}
}

// bigWriter fills big segments as a synchroniser does.
type bigWriter struct {
	core.BigSegmentStore
	core.BigSegmentWriter
	f       *fixture
	version int
}

func (f *fixture) openBigSegments() *bigWriter {
	f.Helper()
	s := f.h.OpenBigSegments(f.tester, f.prefix)
	writer, ok := s.(core.BigSegmentWriter)
	if !ok {
		f.Fatalf("the big segment store is no core.BigSegmentWriter")
	}
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Errorf("closing the big segment store: %v", err)
		}
	})
	return &bigWriter{BigSegmentStore: s, BigSegmentWriter: writer, f: f}
}

func hashOf(c ldcontext.Context) string { return core.BigSegmentContextHash(c.Key()) }

// change applies a patch with the next version.
func (w *bigWriter) change(included, excluded core.BigSegmentChanges) {
	w.f.Helper()
	patch := core.BigSegmentPatch{SegmentRef: bigReference(), Included: included, Excluded: excluded}
	if w.version > 0 {
		patch.PreviousVersion = strconv.Itoa(w.version)
	}
	w.version++
	patch.Version = strconv.Itoa(w.version)
	if applied, err := w.ApplyPatch(w.f.Context(), patch); err != nil || !applied {
		w.f.Fatalf("applying version %d of the big segment: applied is %t, error %v", w.version, applied, err)
	}
}

func (w *bigWriter) upToDate(at time.Time) {
	w.f.Helper()
	if err := w.SetLastUpToDate(w.f.Context(), ldtime.UnixMillisFromTime(at)); err != nil {
		w.f.Fatalf("recording when the big segments were up to date: %v", err)
	}
}

func add(contexts ...ldcontext.Context) (changes core.BigSegmentChanges) {
	for _, c := range contexts {
		changes.Add = append(changes.Add, hashOf(c))
	}
	return changes
}

func remove(contexts ...ldcontext.Context) core.BigSegmentChanges {
	return core.BigSegmentChanges{Remove: add(contexts...).Add}
}

// wantMembership holds the database to saying whether the context is in the big segment: "in", "out", or "" for nothing.
func (f *fixture) wantMembership(w *bigWriter, c ldcontext.Context, want string) {
	f.Helper()
	membership, err := w.Membership(f.Context(), hashOf(c))
	if err != nil {
		f.Fatalf("reading the membership of %s: %v", c.Key(), err)
	}
	if f.h.ReadBigSegments != nil {
		membership = core.NewBigSegmentMembership(f.h.ReadBigSegments(f.tester, f.prefix, hashOf(c)))
	}
	got := ""
	if is := membership.CheckMembership(bigReference()); is.IsDefined() {
		got = map[bool]string{true: "in", false: "out"}[is.BoolValue()]
	}
	if got != want {
		f.Fatalf("the database says %q of %s, want %q", got, c.Key(), want)
	}
}

// wantBig waits until the client evaluates the flag that asks for the big segment to a value, and says that of the state
// of big segments.
func (f *fixture) wantBig(c *client, evalContext ldcontext.Context, value string, status ldreason.BigSegmentsStatus) {
	f.Helper()
	f.eventually("the flag that asks for a big segment", func() string {
		got, detail := c.StringVariationDetail(f.Context(), byBigKey, evalContext, defaultValue)
		if got != value || detail.Reason.GetBigSegmentsStatus() != status {
			return fmt.Sprintf("%q for %s with the reason %v, want %q with %s", got, evalContext.Key(), detail.Reason, value, status)
		}
		return ""
	})
}

func testBigMembership(f *fixture) {
	w := f.openBigSegments()
	w.change(add(member()), add(stranger()))
	w.upToDate(time.Now())
	c := f.start(how{bigSegments: true})
	c.deliver(newWorld(big(1), byBig(1)))
	f.wantStored(newWorld(big(1), byBig(1)))
	f.wantMembership(w, member(), "in")
	f.wantMembership(w, stranger(), "out")
	f.wantBig(c, member(), "in-1", ldreason.BigSegmentsHealthy)
	f.wantBig(c, stranger(), "out-1", ldreason.BigSegmentsHealthy)
	f.wantBig(c, ldcontext.New("nobody"), "out-1", ldreason.BigSegmentsHealthy)

	w.change(remove(member()), remove(stranger()))
	w.change(add(stranger()), add(member()))
	f.wantMembership(w, member(), "out")
	f.wantMembership(w, stranger(), "in")
	f.wantBig(c, member(), "out-1", ldreason.BigSegmentsHealthy)
	f.wantBig(c, stranger(), "in-1", ldreason.BigSegmentsHealthy)

	w.change(add(member()), core.BigSegmentChanges{})
	f.wantMembership(w, member(), "in")
	f.wantBig(c, member(), "in-1", ldreason.BigSegmentsHealthy) // included beats excluded
	w.change(remove(member()), remove(member()))
	f.wantMembership(w, member(), "")
	f.wantBig(c, member(), "out-1", ldreason.BigSegmentsHealthy)
}

func testBigKept(f *fixture) {
	w := f.openBigSegments()
	w.change(add(member()), core.BigSegmentChanges{})
	w.upToDate(time.Now())
	c := f.start(how{bigSegments: true})
	for version := 1; version < 4; version++ {
		c.deliver(newWorld(append(everything(version), big(version), byBig(version))...))
		f.wantMembership(w, member(), "in")
		f.wantBig(c, member(), fmt.Sprint("in-", version), ldreason.BigSegmentsHealthy)
	}
	c.send(deleted(segmentRef(bigKey), 4))
	f.wantMembership(w, member(), "in")
	f.wantValue(c, byBigKey, member(), "out-3")
	c.send(big(5), byBig(5))
	f.wantBig(c, member(), "in-5", ldreason.BigSegmentsHealthy)
	f.wantStored(newWorld(append(everything(3), big(5), byBig(5))...))
}

func testBigNeverFilled(f *fixture) {
	w := f.openBigSegments()
	c := f.start(how{bigSegments: true})
	c.deliver(newWorld(big(1), byBig(1)))
	f.wantBig(c, member(), "out-1", ldreason.BigSegmentsStale)
	f.wantMembership(w, member(), "")
	w.change(add(member()), core.BigSegmentChanges{})
	w.upToDate(time.Now())
	f.wantBig(c, member(), "in-1", ldreason.BigSegmentsHealthy)
}

func testBigOutdated(f *fixture) {
	w := f.openBigSegments()
	w.change(add(member()), core.BigSegmentChanges{})
	w.upToDate(time.Now())
	c := f.start(how{bigSegments: true})
	c.deliver(newWorld(big(1), byBig(1)))
	f.wantBig(c, member(), "in-1", ldreason.BigSegmentsHealthy)
	w.upToDate(time.Now().Add(-2 * staleAfter))
	f.wantBig(c, member(), "in-1", ldreason.BigSegmentsStale)
	f.wantMembership(w, member(), "in")
	w.upToDate(time.Now())
	f.wantBig(c, member(), "in-1", ldreason.BigSegmentsHealthy)
}

func testBigNotConfigured(f *fixture) {
	f.openBigSegments().change(add(member()), core.BigSegmentChanges{})
	c := f.start(how{})
	c.deliver(newWorld(big(1), byBig(1)))
	f.wantBig(c, member(), "out-1", ldreason.BigSegmentsNotConfigured)
}
