package core_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func TestBigSegmentPatch_Steps_LastOneMovesTheCursor(t *testing.T) {
	patch := core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: "1", Version: "2",
		Included: core.BigSegmentChanges{Add: []string{"a", "b", "c"}, Remove: []string{"d"}},
		Excluded: core.BigSegmentChanges{Add: []string{"e"}, Remove: []string{"f"}},
	}
	require.Equal(t, 6, patch.Changes())
	for size, count := range map[int]int{1: 6, 2: 3, 4: 2, 5: 2, 6: 1, 100: 1} {
		steps := slices.Collect(patch.Steps(size))
		require.Len(t, steps, count)
		joined := core.BigSegmentPatch{SegmentRef: "s.g1", PreviousVersion: "1", Version: "2"}
		for i, step := range steps {
			require.LessOrEqual(t, step.Changes(), size)
			require.Equal(t, "1", step.PreviousVersion)
			require.Equal(t, i == len(steps)-1, step.Version == "2")
			joined.Included.Add = append(joined.Included.Add, step.Included.Add...)
			joined.Included.Remove = append(joined.Included.Remove, step.Included.Remove...)
			joined.Excluded.Add = append(joined.Excluded.Add, step.Excluded.Add...)
			joined.Excluded.Remove = append(joined.Excluded.Remove, step.Excluded.Remove...)
		}
		require.Equal(t, patch, joined)
	}
}

func TestBigSegmentPatch_Steps_WithoutChangesIsOne(t *testing.T) {
	patch := core.BigSegmentPatch{SegmentRef: "s.g1", PreviousVersion: "1", Version: "2"}
	steps := slices.Collect(patch.Steps(10))
	require.Len(t, steps, 1)
	require.Zero(t, steps[0].Changes())
	require.Equal(t, "2", steps[0].Version)
}
