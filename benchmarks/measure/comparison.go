package measure

import (
	"math"
	"slices"
)

// Comparison is what was measured, round by round. The zero value has no rounds.
type Comparison struct {
	rounds []Round
}

// Add adds a round.
func (c *Comparison) Add(round Round) { c.rounds = append(c.rounds, round) }

// Rounds returns how many rounds there are.
func (c *Comparison) Rounds() int { return len(c.rounds) }

// Round returns one of them, which must not be changed.
func (c *Comparison) Round(i int) Round { return c.rounds[i] }

// Has reports whether the side takes part.
func (c *Comparison) Has(side Side) bool {
	return slices.ContainsFunc(c.rounds, func(r Round) bool { return r[side] != nil })
}

// Median returns the median over the rounds, and whether the metric was measured for the side.
func (c *Comparison) Median(side Side, metric Metric) (float64, bool) {
	return median(c.values(side, metric))
}

// Ratio returns the median of the ratios of one side to another within the rounds. Of nothing to nothing it is 1.
func (c *Comparison) Ratio(metric Metric, of, to Side) (float64, bool) {
	return median(c.pairs(metric, of, to, ratio))
}

// Difference returns the median of the differences between one side and another within the rounds.
func (c *Comparison) Difference(metric Metric, of, to Side) (float64, bool) {
	return median(c.pairs(metric, of, to, func(a, b float64) float64 { return a - b }))
}

// Spread returns the smallest and the largest ratio of all rounds.
func (c *Comparison) Spread(metric Metric, of, to Side) (least, most float64, known bool) {
	ratios := c.pairs(metric, of, to, ratio)
	if len(ratios) == 0 {
		return 0, 0, false
	}
	return slices.Min(ratios), slices.Max(ratios), true
}

func (c *Comparison) values(side Side, metric Metric) (values []float64) {
	for _, round := range c.rounds {
		if value, found := round[side][metric]; found {
			values = append(values, value)
		}
	}
	return values
}

func (c *Comparison) pairs(metric Metric, of, to Side, combine func(a, b float64) float64) (values []float64) {
	for _, round := range c.rounds {
		a, foundA := round[of][metric]
		b, foundB := round[to][metric]
		if foundA && foundB {
			values = append(values, combine(a, b))
		}
	}
	return values
}

func ratio(a, b float64) float64 {
	if a == b {
		return 1
	}
	return a / b
}

// median returns the median, which for an even number of values is the mean of the two in the middle.
func median(values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle], true
	}
	return (sorted[middle-1] + sorted[middle]) / 2, true
}

// PercentileOf returns the smallest value that at least the given share of the values does not exceed. The share is from 0
// to 1, and there must be a value.
func PercentileOf(values []float64, share float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Exponent returns the exponent p for which y is nearest to proportional to x to the power of p: 0 is flat and 1 linear.
// All values must be positive, and there must be two different x.
func Exponent(x, y []float64) float64 {
	var meanX, meanY, covariance, variance float64
	n := float64(len(x))
	for i := range x {
		meanX += math.Log(x[i]) / n
		meanY += math.Log(y[i]) / n
	}
	for i := range x {
		dx := math.Log(x[i]) - meanX
		covariance += dx * (math.Log(y[i]) - meanY)
		variance += dx * dx
	}
	return covariance / variance
}
