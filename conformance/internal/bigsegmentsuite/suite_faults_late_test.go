package bigsegmentsuite

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cleatdev/cleat/core"
)

// awaited is for how long a late writer waits for others, which have nothing else to wait for.
const awaited = 10 * time.Second

// late applies a patch that leaves the cursor where it is, in two steps, the second of which comes when the cursor is at
// another version, and does not look at it. It is late once.
func (f *faulty) late(
	ctx context.Context, patch core.BigSegmentPatch, arrived func(cursor string) bool, used *atomic.Bool,
) (bool, error) {
	half := len(patch.Included.Add) / 2
	first, second := patch, patch
	first.Included.Add, second.Included.Add = patch.Included.Add[:half], patch.Included.Add[half:]
	if applied, err := f.BigSegments.ApplyPatch(ctx, first); err != nil || !applied {
		return applied, err
	}
	if !used.CompareAndSwap(false, true) {
		return f.BigSegments.ApplyPatch(ctx, second)
	}
	cursor := patch.PreviousVersion
	for begin := time.Now(); !arrived(cursor) && time.Since(begin) < awaited; time.Sleep(time.Millisecond) {
		var err error
		if cursor, err = f.BigSegments.Cursor(ctx); err != nil {
			return false, err
		}
	}
	second.PreviousVersion, second.Version = cursor, cursor
	return f.BigSegments.ApplyPatch(ctx, second)
}

func TestSuite_StepsWithoutCondition_FailWhereMeant(t *testing.T) {
	for name, test := range map[string]struct {
		isLate  func(patch core.BigSegmentPatch) bool
		arrived func(cursor string) bool
		must    string
	}{
		"a large patch": {
			isLate: func(patch core.BigSegmentPatch) bool {
				return patch.SegmentRef == "big.g1" && patch.PreviousVersion == ""
			},
			arrived: func(cursor string) bool { return cursor == "2" },
			must:    "Cursor/LatePatchWritesNothingMore",
		},
		"one of many writers": {
			isLate:  func(patch core.BigSegmentPatch) bool { return patch.PreviousVersion == "8" },
			arrived: func(cursor string) bool { return cursor == "10" },
			must:    "Cursor/WritersAtOneCursorAgree",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var used atomic.Bool
			h := harness(func(f *faulty) {
				f.onApplyPatch = func(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
					if patch.Version == patch.PreviousVersion && len(patch.Included.Add) > 1 && test.isLate(patch) {
						return f.late(ctx, patch, test.arrived, &used)
					}
					return f.BigSegments.ApplyPatch(ctx, patch)
				}
			})
			record(t, h).RequireFailures(t, []string{test.must}, nil)
		})
	}
}

func TestSuite_EmptyPatchIgnored_FailsWhereMeant(t *testing.T) {
	h := harness(func(f *faulty) {
		f.onApplyPatch = func(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
			if patch.Changes() == 0 {
				patch.Version = patch.PreviousVersion
			}
			return f.BigSegments.ApplyPatch(ctx, patch)
		}
	})
	record(t, h).RequireFailures(t,
		[]string{"Cursor/PatchWithoutChangesMovesTheCursor", "Cursor/MovesWithEachPatch"},
		[]string{"Cursor/IsTextNotANumber", "Cursor/LatePatchWritesNothingMore", "Cursor/WritersAtOneCursorAgree"})
}
