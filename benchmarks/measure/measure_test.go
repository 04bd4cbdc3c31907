package measure

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded notes the order in which sides are asked.
func recorded(order *[]Side, side Side) Op {
	return Op{N: 1, Run: func(int) error {
		*order = append(*order, side)
		return nil
	}}
}

func TestCompare_RotatesTheOrder(t *testing.T) {
	var order []Side
	ops := map[Side]Op{}
	for _, side := range Sides() {
		ops[side] = recorded(&order, side)
	}
	c, err := Compare(ops, Options{Rounds: 4})
	require.NoError(t, err)
	require.Equal(t, 4, c.Rounds())
	require.Equal(t, []Side{
		Ours, Theirs, Bare, // warming up
		Ours, Theirs, Bare,
		Theirs, Bare, Ours,
		Bare, Ours, Theirs,
		Ours, Theirs, Bare,
	}, order)
}

func TestCompare_CountsWhatASampleNeeds(t *testing.T) {
	var requests atomic.Int64
	var prepared, performed int
	var kept *[1024]byte
	op := Op{
		N: 100, Counters: map[Metric]func() int64{Requests: requests.Load},
		Before: func(n int) error {
			prepared += n
			requests.Add(1000) // preparation does not count
			return nil
		},
		Run: func(n int) error {
			performed += n
			for range n {
				requests.Add(3)
				kept = new([1024]byte)
			}
			return nil
		},
	}
	c, err := Compare(map[Side]Op{Ours: op}, Options{Rounds: 2})
	require.NoError(t, err)
	require.Equal(t, 300, prepared)
	require.Equal(t, 300, performed)
	require.NotNil(t, kept)
	got, known := c.Median(Ours, Requests)
	require.True(t, known)
	require.InDelta(t, 3, got, 0)
	got, _ = c.Median(Ours, Allocations)
	require.InDelta(t, 1, got, 0)
	got, _ = c.Median(Ours, Bytes)
	require.GreaterOrEqual(t, got, 1024.0)
	got, _ = c.Median(Ours, Time)
	require.Positive(t, got)
	require.False(t, c.Has(Theirs))
	_, known = c.Median(Theirs, Time)
	require.False(t, known)
}

func TestCompare_ErrorsSayWhose(t *testing.T) {
	cause := errors.New("no more paper")
	bad := func(int) error { return cause }
	for _, op := range []Op{{Run: bad}, {N: 1, Run: bad}, {N: 1, Run: func(int) error { return nil }, Before: bad}} {
		_, err := Compare(map[Side]Op{Theirs: op}, Options{Rounds: 1})
		require.ErrorIs(t, err, cause)
		require.ErrorContains(t, err, "theirs")
	}
	_, err := Compare(nil, Options{})
	require.ErrorContains(t, err, "nothing to compare")
	_, err = Compare(map[Side]Op{Ours: {Run: bad, Before: bad}}, Options{})
	require.ErrorContains(t, err, "needs N")
}

func TestCompare_ChoosesHowManyOperations(t *testing.T) {
	var total int
	op := Op{Run: func(n int) error {
		total += n
		<-time.After(time.Duration(n) * time.Millisecond)
		return nil
	}}
	_, err := Compare(map[Side]Op{Ours: op}, Options{Rounds: 1, SampleTime: 20 * time.Millisecond})
	require.NoError(t, err)
	require.Greater(t, total, 10)
	require.Less(t, total, 200)
}

func TestCompare_Speedup(t *testing.T) {
	var now, most atomic.Int64
	op := Op{Parallel: true, N: 8, Run: func(int) error {
		defer now.Add(-1)
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-time.After(20 * time.Millisecond)
		return nil
	}}
	cores := runtime.GOMAXPROCS(0)
	c, err := Compare(map[Side]Op{Ours: op}, Options{Rounds: 1})
	require.NoError(t, err)
	got, known := c.Median(Ours, Speedup)
	require.True(t, known)
	require.Positive(t, got)
	require.EqualValues(t, 2, most.Load(), "two at once")
	require.Equal(t, cores, runtime.GOMAXPROCS(0))

	op.N, op.Before = 1, func(int) error { return nil }
	_, err = Compare(map[Side]Op{Ours: op}, Options{Rounds: 1})
	require.ErrorContains(t, err, "cannot be performed in parallel")
}
