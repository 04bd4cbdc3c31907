package measure

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// timed makes a comparison of times, one pair for each round.
func timed(pairs ...[2]float64) *Comparison {
	c := &Comparison{}
	for _, pair := range pairs {
		c.Add(Round{Ours: {Time: pair[0]}, Theirs: {Time: pair[1]}})
	}
	return c
}

func TestComparison_Ratio_IsThatWithinTheRounds(t *testing.T) {
	// The machine was ten times slower in the second round and for theirs in the third.
	c := timed([2]float64{10, 100}, [2]float64{100, 1000}, [2]float64{10, 1000})
	got, known := c.Ratio(Time, Ours, Theirs)
	require.True(t, known)
	require.InDelta(t, 0.1, got, 1e-9)
	least, most, known := c.Spread(Time, Ours, Theirs)
	require.True(t, known)
	require.InDelta(t, 0.01, least, 1e-9)
	require.InDelta(t, 0.1, most, 1e-9)
	got, known = c.Difference(Time, Theirs, Ours)
	require.True(t, known)
	require.InDelta(t, 900, got, 1e-9)
}

func TestComparison_Ratio_OfNothing(t *testing.T) {
	c := timed([2]float64{0, 0})
	got, known := c.Ratio(Time, Ours, Theirs)
	require.True(t, known)
	require.InDelta(t, 1, got, 0)
	_, known = c.Ratio(Time, Ours, Bare)
	require.False(t, known)
	_, _, known = c.Spread(Bytes, Ours, Theirs)
	require.False(t, known)
}

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{5, 1, 3}, 3},
		{[]float64{4, 1, 3, 2}, 2.5},
		{[]float64{1, 1, 1, 1e9}, 1},
	} {
		got, known := median(tc.values)
		require.True(t, known)
		require.InDelta(t, tc.want, got, 0, tc.values)
	}
	unsorted := []float64{3, 1, 2}
	_, _ = median(unsorted)
	require.Equal(t, []float64{3, 1, 2}, unsorted, "what is measured stays in order")
	_, known := median(nil)
	require.False(t, known)
}

func TestPercentileOf(t *testing.T) {
	values := make([]float64, 200)
	for i := range values {
		values[len(values)-1-i] = float64(i + 1)
	}
	for share, want := range map[float64]float64{0: 1, 0.5: 100, 0.99: 198, 0.995: 199, 1: 200} {
		require.InDelta(t, want, PercentileOf(values, share), 0, share)
	}
	require.InDelta(t, 7, PercentileOf([]float64{7}, 0.99), 0)
}

func TestExponent(t *testing.T) {
	sizes := []float64{100, 1000, 10_000, 100_000}
	require.InDelta(t, 0, Exponent(sizes, []float64{5, 5, 5, 5}), 1e-9)
	require.InDelta(t, 1, Exponent(sizes, []float64{300, 3000, 30_000, 300_000}), 1e-9)
	require.InDelta(t, 2, Exponent(sizes[:2], []float64{1, 100}), 1e-9)
}
