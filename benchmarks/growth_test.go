package benchmarks

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/caching"
)

// The exponents up to which a cost counts as flat and as linear. From 100 flags to 100,000, caches of the processor become
// too small, which makes everything slower however it works: a flat cost may grow fourfold while the data grows
// thousandfold.
const (
	flat   = 0.2
	linear = 1.15
)

func growthGet() workload {
	return growing("growth/get", "cost of a cached Get as flags grow from 100 to 100,000", flat,
		func(b *bench, flags []flagJSON) sides { return cachedGets(b, flags, longTTL(), ttlLD) })
}

func growthInit() workload {
	return growing("growth/init", "cost of Init as flags grow from 100 to 100,000", linear,
		func(b *bench, flags []flagJSON) sides { return initAll(b, flags, caching.Forever(), perSample(flags)) })
}

func growthGetAll() workload {
	return growing("growth/getall", "cost of GetAll, uncached, as flags grow from 100 to 100,000", linear,
		func(b *bench, flags []flagJSON) sides { return getAll(b, flags, perSample(flags)) })
}

func growthUpsert() workload {
	return growing("growth/upsert", "cost of Upsert, forever mode, as flags grow from 100 to 100,000", flat,
		func(b *bench, flags []flagJSON) sides { return upsert(b, flags, 20) })
}

// perSample is how many operations on all flags make a sample of some length.
func perSample(flags []flagJSON) int { return max(1, 10_000/len(flags)) }

// growing measures the same at several sizes. What is compared is the exponent; the time is that at the largest size.
func growing(name, title string, limit float64, setup func(b *bench, flags []flagJSON) sides) workload {
	return workload{
		name: name, title: title, metric: measure.Growth,
		goals: []measure.Goal{measure.AtMost(measure.Growth, limit)},
		note: fmt.Sprintf("The figure is the exponent p for which the time is nearest to proportional to n to the power of p: 0 is "+
			"flat and 1 linear. Up to %g counts as %s. The flags are small ones.", limit, map[float64]string{flat: "flat", linear: "linear"}[limit]),
		measure: func(b *bench) *measure.Comparison {
			sizes := []int{100, 1000, 10_000, 100_000}
			if b.quick {
				sizes = sizes[:2]
			}
			var at []*measure.Comparison
			for _, size := range sizes {
				b.Run(strconv.Itoa(size), func(t *testing.T) {
					smaller := &bench{T: t, options: b.options, quick: b.quick}
					at = append(at, smaller.compare(setup(smaller, flagsOf(size, simpleFlag))))
				})
			}
			require.Len(b, at, len(sizes))
			b.details = growthTable(sizes, at)
			return exponents(b, sizes, at)
		},
	}
}

// exponents makes one comparison of those at each size.
func exponents(b *bench, sizes []int, at []*measure.Comparison) *measure.Comparison {
	b.Helper()
	comparison := &measure.Comparison{}
	for i := range at[0].Rounds() {
		round := measure.Round{}
		for _, side := range []measure.Side{measure.Ours, measure.Theirs} {
			var x, y []float64
			for j, size := range sizes {
				x, y = append(x, float64(size)), append(y, at[j].Round(i)[side][measure.Time])
			}
			round[side] = measure.Sample{measure.Growth: measure.Exponent(x, y), measure.Time: y[len(y)-1]}
		}
		comparison.Add(round)
	}
	return comparison
}

func growthTable(sizes []int, at []*measure.Comparison) string {
	var text strings.Builder
	text.WriteString("| flags | ours | theirs |\n|---|---|---|")
	for i, size := range sizes {
		ours, _ := at[i].Median(measure.Ours, measure.Time)
		theirs, _ := at[i].Median(measure.Theirs, measure.Time)
		fmt.Fprintf(&text, "\n| %d | %v | %v |", size, rounded(ours), rounded(theirs))
	}
	return text.String()
}

// rounded writes nanoseconds with few digits.
func rounded(nanoseconds float64) time.Duration {
	d := time.Duration(nanoseconds)
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
}
