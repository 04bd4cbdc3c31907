package conformance

import (
	"context"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// faultyBig is a big segment store that is right but for the methods that are replaced.
type faultyBig struct {
	*memorystore.BigSegments
	db     *memorystore.Database
	prefix string
	state  *faultState

	onMetadata   func(ctx context.Context) (core.BigSegmentMetadata, error)
	onMembership func(ctx context.Context, hash string) (core.BigSegmentMembership, error)
	onCursor     func(ctx context.Context) (string, error)
	onApplyPatch func(ctx context.Context, patch core.BigSegmentPatch) (bool, error)
	onClose      func() error
}

func (f *faultyBig) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	if f.onMetadata != nil {
		return f.onMetadata(ctx)
	}
	return f.BigSegments.Metadata(ctx)
}

func (f *faultyBig) Membership(ctx context.Context, hash string) (core.BigSegmentMembership, error) {
	if f.onMembership != nil {
		return f.onMembership(ctx, hash)
	}
	return f.BigSegments.Membership(ctx, hash)
}

func (f *faultyBig) Cursor(ctx context.Context) (string, error) {
	if f.onCursor != nil {
		return f.onCursor(ctx)
	}
	return f.BigSegments.Cursor(ctx)
}

func (f *faultyBig) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if f.onApplyPatch != nil {
		return f.onApplyPatch(ctx, patch)
	}
	return f.BigSegments.ApplyPatch(ctx, patch)
}

func (f *faultyBig) Close() error {
	if f.onClose != nil {
		return f.onClose()
	}
	return f.BigSegments.Close()
}

// atCursor applies the patch at whatever cursor there is.
func (f *faultyBig) atCursor(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	cursor, err := f.BigSegments.Cursor(ctx)
	if err != nil {
		return false, err
	}
	patch.PreviousVersion = cursor
	return f.BigSegments.ApplyPatch(ctx, patch)
}

// changing makes ApplyPatch apply something else than the patch that it is given.
func (f *faultyBig) changing(change func(patch *core.BigSegmentPatch)) {
	f.onApplyPatch = func(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
		change(&patch)
		return f.BigSegments.ApplyPatch(ctx, patch)
	}
}
