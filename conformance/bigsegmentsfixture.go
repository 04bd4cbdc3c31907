package conformance

import (
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

// bigSegmentStore is a core.BigSegmentStore with every call guarded, and with helpers that end the subtest when it does
// not do what it should.
type bigSegmentStore struct {
	guard
	t      tester
	core   core.BigSegmentStore
	writer core.BigSegmentWriter // nil if the store is none
}

// openBigSegments opens a store that is closed at the end of the subtest.
func openBigSegments(
	t tester, g guard, open func(testing.TB, string) core.BigSegmentStore, prefix string,
) *bigSegmentStore {
	t.Helper()
	s := openBigSegmentsUnmanaged(t, g, open, prefix)
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func openBigSegmentsUnmanaged(
	t tester, g guard, open func(testing.TB, string) core.BigSegmentStore, prefix string,
) *bigSegmentStore {
	t.Helper()
	s := open(t, prefix)
	if s == nil {
		t.Fatalf("the harness returned no big segment store")
	}
	writer, _ := s.(core.BigSegmentWriter)
	return &bigSegmentStore{guard: g, t: t, core: s, writer: writer}
}

func (s *bigSegmentStore) close() error { return s.do("Close", s.core.Close) }

// apply applies the patch and expects that it fits the cursor.
func (s *bigSegmentStore) apply(patch core.BigSegmentPatch) {
	s.t.Helper()
	s.wantApplied(patch, true)
}

func (s *bigSegmentStore) wantApplied(patch core.BigSegmentPatch, want bool) {
	s.t.Helper()
	applied, err := s.applyPatch(patch)
	if err != nil {
		s.t.Fatalf("ApplyPatch from %q to %q: %v", patch.PreviousVersion, patch.Version, err)
	}
	if applied != want {
		s.t.Fatalf("ApplyPatch from %q to %q: applied is %t, want %t", patch.PreviousVersion, patch.Version, applied, want)
	}
}

func (s *bigSegmentStore) applyPatch(patch core.BigSegmentPatch) (bool, error) {
	return guarded(s.guard, "ApplyPatch", func() (bool, error) { return s.writer.ApplyPatch(s.t.Context(), patch) })
}

func (s *bigSegmentStore) setLastUpToDate(at ldtime.UnixMillisecondTime) {
	s.t.Helper()
	err := s.do("SetLastUpToDate", func() error { return s.writer.SetLastUpToDate(s.t.Context(), at) })
	if err != nil {
		s.t.Fatalf("SetLastUpToDate: %v", err)
	}
}

func (s *bigSegmentStore) wantLastUpToDate(want ldtime.UnixMillisecondTime) {
	s.t.Helper()
	got, err := guarded(s.guard, "Metadata", func() (core.BigSegmentMetadata, error) {
		return s.core.Metadata(s.t.Context())
	})
	if err != nil {
		s.t.Fatalf("Metadata: %v", err)
	}
	if got.LastUpToDate != want {
		s.t.Fatalf("Metadata: last up to date is %d, want %d", got.LastUpToDate, want)
	}
}

func (s *bigSegmentStore) membership(hash string) (core.BigSegmentMembership, error) {
	return guarded(s.guard, "Membership", func() (core.BigSegmentMembership, error) {
		return s.core.Membership(s.t.Context(), hash)
	})
}

func (s *bigSegmentStore) wantMembership(hash string, included, excluded []string) {
	s.t.Helper()
	got, err := s.membership(hash)
	if err != nil {
		s.t.Fatalf("Membership of %q: %v", hash, err)
	}
	if want := core.NewBigSegmentMembership(included, excluded); !got.Equal(want) {
		s.t.Fatalf("Membership of %q: got %+v, want %+v", hash, got, want)
	}
}

func (s *bigSegmentStore) cursor() (string, error) {
	return guarded(s.guard, "Cursor", func() (string, error) { return s.writer.Cursor(s.t.Context()) })
}

func (s *bigSegmentStore) wantCursor(want string) {
	s.t.Helper()
	got, err := s.cursor()
	if err != nil {
		s.t.Fatalf("Cursor: %v", err)
	}
	if got != want {
		s.t.Fatalf("Cursor: %q, want %q", got, want)
	}
}
