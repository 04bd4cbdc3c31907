package benchmarks

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
)

// limits are what each workload of ours may need at most, when done quickly, with a tenth of the data. They are a little
// above what was measured: counts of requests are exact, and what happens in the background allocates now and then. (Of an Init
// in DynamoDB, one write is the change marker, which comes a moment later.)
var limits = map[string]measure.Sample{
	"wrapper/get-ttl":         {measure.Allocations: 0, measure.Bytes: 0},
	"wrapper/get-forever":     {measure.Allocations: 0, measure.Bytes: 0},
	"wrapper/upsert-forever":  {measure.Allocations: 18, measure.Bytes: 1_030},
	"wrapper/getall-uncached": {measure.Allocations: 240, measure.Bytes: 28_000},
	"wrapper/init":            {measure.Allocations: 3_200, measure.Bytes: 520_000},
	"heap/read":               {measure.Heap: 2_700},
	"heap/evaluated":          {measure.Heap: 10_000},
	"client/bool-simple":      {measure.Allocations: 0, measure.Bytes: 0},
	"client/bool-rules":       {measure.Allocations: 0, measure.Bytes: 0},
	"client/all-flags-state":  {measure.Allocations: 16, measure.Bytes: 15_000},
	"redis/upsert":            {measure.Requests: 1, measure.Allocations: 41, measure.Bytes: 4_800},
	"redis/init":              {measure.Requests: 3, measure.Allocations: 2_300, measure.Bytes: 400_000},
	"redis/getall":            {measure.Requests: 1, measure.Allocations: 2_100, measure.Bytes: 2_500_000},
	"redis/membership":        {measure.Requests: 1, measure.Allocations: 64, measure.Bytes: 3_700},
	"dynamodb/init":           {measure.Requests: 46, measure.Writes: 1_002, measure.Allocations: 31_000, measure.Bytes: 25_000_000},
	"dynamodb/init-far":       {measure.Requests: 46, measure.Writes: 1_002, measure.Allocations: 31_000, measure.Bytes: 25_000_000},
	"dynamodb/init-again":     {measure.Requests: 4, measure.Writes: 0, measure.Allocations: 21_000, measure.Bytes: 15_000_000},
	"consul/init":             {measure.Requests: 12, measure.Allocations: 11_500, measure.Bytes: 9_000_000},
	"consul/init-far":         {measure.Requests: 12, measure.Allocations: 11_500, measure.Bytes: 9_000_000},
	"consul/upsert":           {measure.Requests: 1, measure.Allocations: 150, measure.Bytes: 18_000},
	"service/full-first":      {measure.Allocations: 4_200, measure.Bytes: 7_700_000},
	"service/full-second":     {measure.Allocations: 6_400, measure.Bytes: 5_900_000},
	"service/heap-first":      {measure.Heap: 2_800},
	"service/heap-second":     {measure.Heap: 2_800},
}

// Every workload of which something is counted that does not depend on the machine has a limit and keeps to it. Times are
// for make bench.
func TestWorkloads_KeepToTheirLimits(t *testing.T) {
	unknown := maps.Clone(limits)
	for _, w := range workloads() {
		delete(unknown, w.name)
		var exceeded []string
		for range 3 { // What else the process does is counted too, and on a busy machine it may be much.
			row := w.run(t, quickOptions(), true, "")
			if row == nil {
				break // failed, or skipped for want of a server
			}
			for _, verdict := range row.Verdicts() {
				require.NotEqual(t, "not measured", verdict.Got, "%s: %s", w.name, verdict.Goal)
			}
			if exceeded = exceededLimits(t, w.name, row.Comparison); len(exceeded) == 0 {
				break
			}
		}
		assert.Empty(t, exceeded, w.name)
	}
	require.Empty(t, unknown)
}

// exceededLimits names what the workload needed more of than it may.
func exceededLimits(t *testing.T, name string, comparison *measure.Comparison) (exceeded []string) {
	t.Helper()
	for _, metric := range []measure.Metric{measure.Allocations, measure.Bytes, measure.Requests, measure.Writes, measure.Heap} {
		got, measured := comparison.Median(measure.Ours, metric)
		limit, limited := limits[name][metric]
		require.Equal(t, measured, limited, "%s: is there a limit of %s?", name, metric)
		if got > limit {
			exceeded = append(exceeded, fmt.Sprintf("%s: %g instead of %g", metric, got, limit))
		}
	}
	return exceeded
}
