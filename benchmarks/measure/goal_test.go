package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGoal_Check(t *testing.T) {
	c := &Comparison{}
	c.Add(Round{
		Ours:   {Time: 150, Allocations: 0, Rate: 400, Speedup: 1.7, Requests: 1, Percentile: 51_234_567},
		Theirs: {Time: 600, Allocations: 4034, Rate: 100},
		Bare:   {Time: 100},
	})
	for _, tc := range []struct {
		goal Goal
		want Verdict
	}{
		{AtMostTimes(Time, 1.0/4, Theirs), Verdict{"time ≤ 1/4 of theirs", "0.25 × theirs", true}},
		{AtMostTimes(Time, 1.0/6, Theirs), Verdict{"time ≤ 1/6 of theirs", "0.25 × theirs", false}},
		{AtMostTimes(Time, 1.15, Bare), Verdict{"time ≤ 1.15 × bare", "1.5 × bare", false}},
		{AtMostTimes(Allocations, 1.0/10, Theirs), Verdict{"allocations ≤ 1/10 of theirs", "0 × theirs", true}},
		{AtMostTimes(Time, 1, Theirs), Verdict{"time ≤ 1 × theirs", "0.25 × theirs", true}},
		{AtLeastTimes(Rate, 3, Theirs), Verdict{"rate ≥ 3 × theirs", "4 × theirs", true}},
		{AtLeastTimes(Rate, 5, Theirs), Verdict{"rate ≥ 5 × theirs", "4 × theirs", false}},
		{AtMostAbove(60, Bare), Verdict{"time ≤ bare + 60 ns", "bare +50 ns", true}},
		{AtMostAbove(40, Bare), Verdict{"time ≤ bare + 40 ns", "bare +50 ns", false}},
		{AtMost(Allocations, 0), Verdict{"allocations ≤ 0", "allocations 0", true}},
		{Within(50 * time.Millisecond), Verdict{"99th percentile ≤ 50ms", "99th percentile 51.23ms", false}},
		{Within(52 * time.Millisecond), Verdict{"99th percentile ≤ 52ms", "99th percentile 51.23ms", true}},
		{AtLeast(Speedup, 1.8), Verdict{"speedup ≥ 1.8", "speedup 1.7", false}},
		{AtMost(Requests, 1), Verdict{"requests ≤ 1", "requests 1", true}},
		{AtMost(Heap, 1), Verdict{"heap ≤ 1", "not measured", false}},
		{AtMostTimes(Requests, 1, Theirs), Verdict{"requests ≤ 1 × theirs", "not measured", false}},
	} {
		require.Equal(t, tc.want, tc.goal.Check(c))
	}
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 1234.5: "1234", 99.94: "99.9", 1.005: "1", 0.1666: "0.167", 0.0166: "0.017", 0.00012: "0.0001", -2.5: "-2.5",
	} {
		require.Equal(t, want, number(value))
	}
}
