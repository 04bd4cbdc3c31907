package bigsegmentsuite

import (
	"testing"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
)

// Harness is conformance.BigSegmentsHarness, which says what its fields are.
type Harness struct {
	Open    func(t testing.TB, prefix string) core.BigSegmentStore
	Writer  bool
	Timeout time.Duration
}

// Sizes says how much of everything the subtests do.
type Sizes struct {
	Workers    int           // goroutines of a concurrency test
	Rounds     int           // what each of them does
	Contexts   int           // context hashes of a large patch
	LateRounds int           // how often such a patch is overtaken by another writer
	Wait       time.Duration // for how long something is awaited that has to come
}

// DefaultSizes returns the sizes with which an adapter is tested: small ones if tests shall be short.
func DefaultSizes() Sizes {
	if testing.Short() {
		return shortSizes()
	}
	return Sizes{Workers: 8, Rounds: 50, Contexts: 2_000, LateRounds: 3, Wait: 30 * time.Second}
}

func shortSizes() Sizes {
	return Sizes{Workers: 4, Rounds: 20, Contexts: 100, LateRounds: 2, Wait: 10 * time.Second}
}

// Run runs every subtest, one after the other.
func Run(t testrun.T, h Harness, s Sizes) {
	suite.Run(t, groups(h.Writer), func(t testrun.T) *fixture {
		return &fixture{T: t, Sizes: s, Guard: suite.NewGuard(t, h.Timeout), h: h, prefix: suite.RandomPrefix()}
	})
}

// groups returns what there is to test about a store that can, or cannot, be written.
func groups(writer bool) []suite.Group[*fixture] {
	groups := []suite.Group[*fixture]{readTests()}
	if writer {
		groups = append(groups, writeTests(), cursorTests(), sharingTests())
	}
	return append(groups, lifecycleTests())
}

// fixture is what one subtest is given.
type fixture struct {
	testrun.T
	Sizes
	suite.Guard
	h      Harness
	prefix string
}

// RequireUntouched writes big segments under the prefix, and expects them to be as they were after do.
func RequireUntouched(t testrun.T, h Harness, prefix string, do func()) {
	t.Helper()
	s := (&fixture{T: t, Guard: suite.NewGuard(t, h.Timeout), h: h, prefix: prefix}).open()
	s.apply(patch("s.g1", "", "1", adds(hashOne), unchanged()))
	s.setLastUpToDate(1234)
	do()
	s.wantMembership(hashOne, []string{"s.g1"}, nil)
	s.wantLastUpToDate(1234)
	s.wantCursor("1")
}
