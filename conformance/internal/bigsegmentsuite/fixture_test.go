package bigsegmentsuite

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/internal/testrun"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// faulty is a big segment store that is right but for the methods that are replaced.
type faulty struct {
	*memorystore.BigSegments
	db   *memorystore.Database
	meet chan struct{} // where two faults wait for each other

	onMetadata   func(ctx context.Context) (core.BigSegmentMetadata, error)
	onMembership func(ctx context.Context, hash string) (core.BigSegmentMembership, error)
	onCursor     func(ctx context.Context) (string, error)
	onApplyPatch func(ctx context.Context, patch core.BigSegmentPatch) (bool, error)
	onClose      func() error
}

func (f *faulty) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	if f.onMetadata != nil {
		return f.onMetadata(ctx)
	}
	return f.BigSegments.Metadata(ctx)
}

func (f *faulty) Membership(ctx context.Context, hash string) (core.BigSegmentMembership, error) {
	if f.onMembership != nil {
		return f.onMembership(ctx, hash)
	}
	return f.BigSegments.Membership(ctx, hash)
}

func (f *faulty) Cursor(ctx context.Context) (string, error) {
	if f.onCursor != nil {
		return f.onCursor(ctx)
	}
	return f.BigSegments.Cursor(ctx)
}

func (f *faulty) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if f.onApplyPatch != nil {
		return f.onApplyPatch(ctx, patch)
	}
	return f.BigSegments.ApplyPatch(ctx, patch)
}

func (f *faulty) Close() error {
	if f.onClose != nil {
		return f.onClose()
	}
	return f.BigSegments.Close()
}

// atCursor applies the patch at whatever cursor there is.
func (f *faulty) atCursor(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	cursor, err := f.BigSegments.Cursor(ctx)
	if err != nil {
		return false, err
	}
	patch.PreviousVersion = cursor
	return f.BigSegments.ApplyPatch(ctx, patch)
}

// changing makes ApplyPatch apply something else than the patch that it is given.
func (f *faulty) changing(change func(patch *core.BigSegmentPatch)) {
	f.onApplyPatch = func(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
		change(&patch)
		return f.BigSegments.ApplyPatch(ctx, patch)
	}
}

// awaitAnother waits a moment for another goroutine to come here too.
func (f *faulty) awaitAnother() {
	timer := time.NewTimer(2 * time.Millisecond)
	defer timer.Stop()
	select {
	case f.meet <- struct{}{}:
	case <-f.meet:
	case <-timer.C:
	}
}

// harness describes stores that have a fault, which inject makes in each of them.
func harness(inject func(f *faulty)) Harness {
	db, meet := new(memorystore.Database), make(chan struct{})
	return Harness{Writer: true, Open: func(_ testing.TB, prefix string) core.BigSegmentStore {
		f := &faulty{BigSegments: memorystore.NewBigSegments(db, &memorystore.Options{Prefix: prefix}), db: db, meet: meet}
		inject(f)
		return f
	}}
}

// tinySizes is enough to find every fault.
func tinySizes() Sizes {
	s := shortSizes()
	s.Rounds, s.Contexts = 12, 40
	return s
}

// record runs the subtests that only names, or all.
func record(t testing.TB, h Harness, only ...string) *testrun.Outcomes {
	return testrun.Record(t, only, func(t testrun.T) { Run(t, h, tinySizes()) })
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
