package conformance

import (
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// openBounded returns a new store in the way everything in cleat calls one. Its Close waits until nothing of the calls runs any more. It is
// closed at the end of the subtest at the latest.
func (f *fixture) openBounded(prefix string) *store {
	f.Helper()
	s := f.openUnmanaged(prefix)
	group, limits := f.Bounds()
	bounded := &store{guard: f.guard, core: lifecycle.Bound(group, s.core, limits)}
	f.Cleanup(func() { _ = bounded.Close() })
	return bounded
}
