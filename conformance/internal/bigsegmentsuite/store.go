package bigsegmentsuite

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/internal/lifecycle"

	"github.com/cleatdev/cleat/core"
)

// store is a core.BigSegmentStore with every call guarded, and with helpers that end the subtest when it does not do what it
// should.
type store struct {
	suite.Guard
	t      testrun.T
	core   core.BigSegmentStore
	writer core.BigSegmentWriter // nil if the store is none
}

// open opens a store under the subtest's prefix that is closed at the end of the subtest.
func (f *fixture) open() *store { return f.openAt(f.prefix) }

func (f *fixture) openAt(prefix string) *store {
	f.Helper()
	s := f.openUnmanagedAt(prefix)
	f.Cleanup(func() {
		if err := s.close(); err != nil {
			f.Errorf("Close: %v", err)
		}
	})
	return s
}

// openUnmanaged opens a store that the subtest closes itself.
func (f *fixture) openUnmanaged() *store { return f.openUnmanagedAt(f.prefix) }

func (f *fixture) openUnmanagedAt(prefix string) *store {
	f.Helper()
	s := f.h.Open(f.T, prefix)
	if s == nil {
		f.Fatalf("the harness returned no big segment store")
	}
	writer, _ := s.(core.BigSegmentWriter)
	return &store{Guard: f.Guard, t: f.T, core: s, writer: writer}
}

// bounded returns the store in the way everything in cleat calls one.
func (s *store) bounded() *store {
	group, limits := s.Bounds()
	bounded := &store{Guard: s.Guard, t: s.t, core: lifecycle.BoundBigSegments(group, s.core, limits)}
	if s.writer != nil {
		bounded.writer = lifecycle.BoundWriter(group, s.writer, limits)
	}
	return bounded
}

func (s *store) close() error { return s.Do("Close", s.core.Close) }

// apply applies the patch and expects that it fits the cursor.
func (s *store) apply(patch core.BigSegmentPatch) {
	s.t.Helper()
	s.wantApplied(patch, true)
}

func (s *store) wantApplied(patch core.BigSegmentPatch, want bool) {
	s.t.Helper()
	applied, err := s.applyPatch(patch)
	if err != nil {
		s.t.Fatalf("ApplyPatch from %q to %q: %v", patch.PreviousVersion, patch.Version, err)
	}
	if applied != want {
		s.t.Fatalf("ApplyPatch from %q to %q: applied is %t, want %t", patch.PreviousVersion, patch.Version, applied, want)
	}
}

func (s *store) applyPatch(patch core.BigSegmentPatch) (bool, error) {
	return suite.Guarded(s.Guard, "ApplyPatch", func() (bool, error) { return s.writer.ApplyPatch(s.t.Context(), patch) })
}

func (s *store) setLastUpToDate(at ldtime.UnixMillisecondTime) {
	s.t.Helper()
	err := s.Do("SetLastUpToDate", func() error { return s.writer.SetLastUpToDate(s.t.Context(), at) })
	if err != nil {
		s.t.Fatalf("SetLastUpToDate: %v", err)
	}
}

func (s *store) wantLastUpToDate(want ldtime.UnixMillisecondTime) {
	s.t.Helper()
	got, err := suite.Guarded(s.Guard, "Metadata", func() (core.BigSegmentMetadata, error) {
		return s.core.Metadata(s.t.Context())
	})
	if err != nil {
		s.t.Fatalf("Metadata: %v", err)
	}
	if got.LastUpToDate != want {
		s.t.Fatalf("Metadata: last up to date is %d, want %d", got.LastUpToDate, want)
	}
}

func (s *store) membership(hash string) (core.BigSegmentMembership, error) {
	return suite.Guarded(s.Guard, "Membership", func() (core.BigSegmentMembership, error) {
		return s.core.Membership(s.t.Context(), hash)
	})
}

func (s *store) wantMembership(hash string, included, excluded []string) {
	s.t.Helper()
	got, err := s.membership(hash)
	if err != nil {
		s.t.Fatalf("Membership of %q: %v", hash, err)
	}
	if want := core.NewBigSegmentMembership(included, excluded); !got.Equal(want) {
		s.t.Fatalf("Membership of %q: got %+v, want %+v", hash, got, want)
	}
}

func (s *store) cursor() (string, error) {
	return suite.Guarded(s.Guard, "Cursor", func() (string, error) { return s.writer.Cursor(s.t.Context()) })
}

func (s *store) wantCursor(want string) {
	s.t.Helper()
	got, err := s.cursor()
	if err != nil {
		s.t.Fatalf("Cursor: %v", err)
	}
	if got != want {
		s.t.Fatalf("Cursor: %q, want %q", got, want)
	}
}
