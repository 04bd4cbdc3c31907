package conformance

import (
	"log/slog"

	"github.com/cleatdev/cleat/internal/lifecycle"
)

// openBounded returns a new store in the way everything in cleat calls one: bounded by [lifecycle.Bound], whose business it
// is that a call ends with its context and with Close. Its Close waits until nothing of the calls runs any more. It is
// closed at the end of the subtest at the latest.
func (f *fixture) openBounded(prefix string) *store {
	f.Helper()
	s := f.openUnmanaged(prefix)
	bounded := &store{guard: f.guard, core: lifecycle.Bound(f.newGroup(), s.core, f.limits())}
	f.Cleanup(func() { _ = bounded.Close() })
	return bounded
}

// bounded returns the store bounded in the same way.
func (s *bigSegmentStore) bounded() *bigSegmentStore {
	group, limits := s.newGroup(), s.limits()
	bounded := &bigSegmentStore{guard: s.guard, t: s.t, core: lifecycle.BoundBigSegments(group, s.core, limits)}
	if s.writer != nil {
		bounded.writer = lifecycle.BoundWriter(group, s.writer, limits)
	}
	return bounded
}

func (guard) newGroup() *lifecycle.Group {
	return lifecycle.New("conformance", slog.New(slog.DiscardHandler))
}

// limits leaves it to the guard to notice a call that hangs.
func (g guard) limits() lifecycle.Limits {
	return lifecycle.Limits{Read: g.timeout, ReadAll: g.timeout, Write: g.timeout, Init: g.timeout}
}
