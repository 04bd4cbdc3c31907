package benchmarks

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/benchmarks/report"
)

// quiet is a logger for what is expected to say nothing of interest.
var quiet = slog.New(slog.DiscardHandler)

// workload is one row of the table. It has either setup or measure.
type workload struct {
	name   string         // what -run chooses it by
	title  string         // what the table calls it
	metric measure.Metric // what the sides are compared by
	goals  []measure.Goal
	note   string // for the reader of the document

	// setup returns what each side does.
	setup func(b *bench) sides
	// measure does it all by itself.
	measure func(b *bench) *measure.Comparison
}

// sides is what is compared. An operation without Run takes no part.
type sides struct{ ours, theirs, bare measure.Op }

func (s sides) ops() map[measure.Side]measure.Op {
	ops := map[measure.Side]measure.Op{}
	for side, op := range map[measure.Side]measure.Op{measure.Ours: s.ours, measure.Theirs: s.theirs, measure.Bare: s.bare} {
		if op.Run != nil {
			ops[side] = op
		}
	}
	return ops
}

// workloads returns all rows in the order of the table.
func workloads() []workload {
	return []workload{
		cachedGetTTL(), cachedGetForever(), upsertForever(), getAllUncached(), wrapperInit(), heapRead(), heapEvaluated(),
		simpleVariation(), rulesVariation(), allFlagsState(),
		redisUpsert(), redisInit(), redisGetAll(), redisMembership(),
		dynamoInit(), dynamoInitFar(), dynamoInitAgain(),
		consulInit(), consulInitFar(), consulUpsert(),
		changeSeenRedis(), changeSeenConsul(), changeSeenSQLite(),
		evaluationsUnderUpdates(), ruleEvaluationsUnderUpdates(),
		fullPayload(firstProtocol()), changeSent(firstProtocol()), heapOfClient(firstProtocol()),
		fullPayload(secondProtocol()), changeSent(secondProtocol()), heapOfClient(secondProtocol()),
		growthGet(), growthInit(), growthGetAll(), growthUpsert(),
	}
}

// chosen returns the workloads whose names match.
func chosen(pattern *regexp.Regexp) (some []workload) {
	for _, w := range workloads() {
		if pattern.MatchString(w.name) {
			some = append(some, w)
		}
	}
	return some
}

// bench is what a workload is measured with.
type bench struct {
	*testing.T
	options measure.Options
	quick   bool
	details string // Markdown that the workload has to say besides
}

// run measures the workload as a subtest. It returns no row if that was skipped or failed.
func (w *workload) run(t *testing.T, options measure.Options, quick bool, profiles string) (row *report.Row) {
	t.Run(w.name, func(t *testing.T) {
		b := &bench{T: t, options: options, quick: quick}
		var comparison *measure.Comparison
		if w.measure != nil {
			comparison = w.measure(b)
		} else {
			s := w.setup(b)
			comparison = b.compare(s)
			b.profile(profiles, w.name, s.ours)
		}
		row = &report.Row{
			Name: w.name, Title: w.title, Metric: w.metric, Comparison: comparison, Goals: w.goals, Note: w.note, Details: b.details,
		}
	})
	return row
}

func (b *bench) compare(s sides) *measure.Comparison {
	b.Helper()
	comparison, err := measure.Compare(s.ops(), b.options)
	require.NoError(b, err)
	return comparison
}

// alternately measures ours, theirs, and other sides once in each round.
func alternately(b *bench, sample func(side measure.Side) measure.Sample, others ...measure.Side) *measure.Comparison {
	comparison, sides := &measure.Comparison{}, append([]measure.Side{measure.Ours, measure.Theirs}, others...)
	for i := range b.options.Rounds {
		round := measure.Round{}
		for j := range sides {
			side := sides[(i+j)%len(sides)]
			round[side] = sample(side)
		}
		comparison.Add(round)
	}
	return comparison
}

// many returns n, or a tenth of it if there is little time.
func (b *bench) many(n int) int {
	if b.quick {
		return n / 10
	}
	return n
}

// cleanup calls close at the end of the workload.
func (b *bench) cleanup(closing func() error) {
	b.Cleanup(func() { require.NoError(b, closing()) })
}

// ctx is not b.Context, which ends before what is cleaned up at the end.
func (b *bench) ctx() context.Context { return context.Background() }

const profileTime = 3 * time.Second

// profile writes a CPU profile of the operation, if a directory is given.
func (b *bench) profile(directory, name string, op measure.Op) {
	if directory == "" {
		return
	}
	file, err := os.Create(filepath.Join(directory, strings.ReplaceAll(name, "/", "-")+".prof"))
	require.NoError(b, err)
	require.NoError(b, pprof.StartCPUProfile(file))
	defer func() {
		pprof.StopCPUProfile()
		require.NoError(b, file.Close())
	}()
	op.Parallel = false
	for deadline := time.Now().Add(profileTime); time.Now().Before(deadline); {
		_, err := measure.Compare(map[measure.Side]measure.Op{measure.Ours: op}, measure.Options{Rounds: 1, SampleTime: profileTime / 2})
		require.NoError(b, err)
	}
}
