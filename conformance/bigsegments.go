package conformance

import (
	"testing"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/bigsegmentsuite"
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
	bigsegmentsuite.Run(testrun.Of(t), bigsegmentsuite.Harness(h), bigsegmentsuite.DefaultSizes())
}
