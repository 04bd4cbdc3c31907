package measure

import (
	"fmt"
	"math"
	"time"
)

// Goal is something that a comparison should show.
type Goal struct {
	// Text says what, such as "time ≤ 1/6 of theirs".
	Text string

	check func(c *Comparison) (got string, met, known bool)
}

// Verdict says whether a goal is met.
type Verdict struct {
	Goal string // its text
	Got  string // what was measured instead or as wanted
	Met  bool   // false also if it was not measured
}

// Check holds the comparison to the goal.
func (g Goal) Check(c *Comparison) Verdict {
	got, met, known := g.check(c)
	if !known {
		return Verdict{Goal: g.Text, Got: "not measured"}
	}
	return Verdict{Goal: g.Text, Got: got, Met: met}
}

// AtMostTimes is the goal that we need at most factor times what another side needs.
func AtMostTimes(metric Metric, factor float64, other Side) Goal {
	return Goal{fmt.Sprintf("%s ≤ %s %s", metric, share(factor), other), func(c *Comparison) (string, bool, bool) {
		ratio, known := c.Ratio(metric, Ours, other)
		return fmt.Sprintf("%s × %s", number(ratio), other), ratio <= factor, known
	}}
}

// AtLeastTimes is the goal that we have at least factor times what another side has.
func AtLeastTimes(metric Metric, factor float64, other Side) Goal {
	return Goal{fmt.Sprintf("%s ≥ %s × %s", metric, number(factor), other), func(c *Comparison) (string, bool, bool) {
		ratio, known := c.Ratio(metric, Ours, other)
		return fmt.Sprintf("%s × %s", number(ratio), other), ratio >= factor, known
	}}
}

// AtMostAbove is the goal that we need at most so many nanoseconds more than another side.
func AtMostAbove(nanoseconds float64, other Side) Goal {
	return Goal{fmt.Sprintf("time ≤ %s + %g ns", other, nanoseconds), func(c *Comparison) (string, bool, bool) {
		difference, known := c.Difference(Time, Ours, other)
		return fmt.Sprintf("%s %+.0f ns", other, difference), difference <= nanoseconds, known
	}}
}

// Within is the goal that the 99th percentile is no longer than the limit.
func Within(limit time.Duration) Goal {
	return Goal{fmt.Sprintf("%s ≤ %v", Percentile, limit), func(c *Comparison) (string, bool, bool) {
		value, known := c.Median(Ours, Percentile)
		got := time.Duration(value).Round(10 * time.Microsecond)
		return fmt.Sprintf("%s %v", Percentile, got), value <= float64(limit), known
	}}
}

// AtMost is the goal that ours is no greater than the limit.
func AtMost(metric Metric, limit float64) Goal {
	return limited(metric, "≤", limit, func(value float64) bool { return value <= limit })
}

// AtLeast is the goal that ours is no less than the limit.
func AtLeast(metric Metric, limit float64) Goal {
	return limited(metric, "≥", limit, func(value float64) bool { return value >= limit })
}

func limited(metric Metric, relation string, limit float64, meets func(float64) bool) Goal {
	return Goal{fmt.Sprintf("%s %s %s", metric, relation, number(limit)), func(c *Comparison) (string, bool, bool) {
		value, known := c.Median(Ours, metric)
		return fmt.Sprintf("%s %s", metric, number(value)), meets(value), known
	}}
}

// share writes a factor as a person would: 1/6 of, 1.15 ×.
func share(factor float64) string {
	if inverse := 1 / factor; inverse > 1.5 && math.Abs(inverse-math.Round(inverse)) < 1e-9 {
		return fmt.Sprintf("1/%.0f of", inverse)
	}
	return number(factor) + " ×"
}

// number writes a number with about three digits.
func number(value float64) string {
	switch magnitude := math.Abs(value); {
	case magnitude >= 100:
		return fmt.Sprintf("%.0f", value)
	case magnitude >= 0.1 || magnitude == 0:
		return fmt.Sprintf("%.3g", value)
	case magnitude >= 0.001:
		return fmt.Sprintf("%.2g", value)
	default:
		return fmt.Sprintf("%.1g", value)
	}
}
