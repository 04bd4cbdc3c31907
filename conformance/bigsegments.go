package conformance

import (
	"testing"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
)

// BigSegmentsHarness describes the big segment store under test.
type BigSegmentsHarness struct {
	// Open returns a new store on the shared test database under the prefix, in the way of [Harness].Open. It must also be
	// a [core.BigSegmentWriter] if Writer is true.
	Open func(t testing.TB, prefix string) core.BigSegmentStore

	// Writer says that the store is also a [core.BigSegmentWriter]. Without it only what an empty store answers can be
	// tested.
	Writer bool

	// Timeout is the same as [Harness].Timeout.
	Timeout time.Duration
}

// RunBigSegments runs every test of [core.BigSegmentStore] and [core.BigSegmentWriter] against the adapter that h
// describes, as subtests of t, one after the other.
func RunBigSegments(t *testing.T, h BigSegmentsHarness) {
	t.Helper()
	runBigSegments(testrun.Of(t), h, defaultSizes())
}

func runBigSegments(t tester, h BigSegmentsHarness, s sizes) {
	runGroups(t, bigSegmentsTests(h.Writer), func(t tester) *bigFixture {
		return &bigFixture{tester: t, sizes: s, guard: newGuard(t, h.Timeout), h: h, prefix: randomPrefix()}
	})
}

// bigFixture is what one subtest about a big segment store is given.
type bigFixture struct {
	tester
	sizes
	guard
	h      BigSegmentsHarness
	prefix string
}

func (f *bigFixture) open() *bigSegmentStore { return f.openAt(f.prefix) }

func (f *bigFixture) openAt(prefix string) *bigSegmentStore {
	f.Helper()
	return openBigSegments(f.tester, f.guard, f.h.Open, prefix)
}

// bigSegmentsTests returns what there is to test about a store that can, or cannot, be written.
func bigSegmentsTests(writer bool) []group[*bigFixture] {
	groups := []group[*bigFixture]{bigReadTests()}
	if writer {
		groups = append(groups, bigWriteTests(), bigCursorTests(), bigSharingTests())
	}
	return append(groups, bigLifecycleTests())
}
