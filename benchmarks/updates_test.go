package benchmarks

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

const (
	evaluators     = 8
	updateInterval = 10 * time.Millisecond // 100 updates a second
)

func evaluationsUnderUpdates() workload {
	w := rated("client/rate", simpleFlag)
	w.title = "evaluations per second, 8 goroutines on 2 cores, 1,000 simple flags, while 100 updates a second arrive"
	w.goals = []measure.Goal{measure.AtLeastTimes(measure.Rate, 3, measure.Theirs)}
	w.note = "Each client has a database in memory and the default cache, a TTL of 15 s, and its data source delivers the updates."
	return w
}

func ruleEvaluationsUnderUpdates() workload {
	w := rated("client/rate-rules", ruleFlag)
	w.title = "evaluations per second as above, flags with rules"
	w.note = "There is no goal: most of the time goes into the evaluator, which is the same for both."
	return w
}

func rated(name string, flag func(int) flagJSON) workload {
	return workload{
		name: name, metric: measure.Rate,
		measure: func(b *bench) *measure.Comparison {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
			flags := flagsOf(1000, flag)
			evaluations := map[measure.Side]*evaluating{measure.Ours: ownEvaluating(b, flags), measure.Theirs: theirEvaluating(b, flags)}
			length := time.Second
			if b.quick {
				length = 50 * time.Millisecond
			}
			return alternately(b, func(side measure.Side) measure.Sample {
				return measure.Sample{measure.Rate: evaluations[side].rate(b, flags, length)}
			})
		},
	}
}

// evaluating is a client in use.
type evaluating struct {
	evaluate func(key string) bool
	update   func(flag flagJSON, version int) error
	version  int
}

// rate returns how many evaluations per second there are.
func (e *evaluating) rate(b *bench, flags []flagJSON, length time.Duration) float64 {
	b.Helper()
	runtime.GC()
	var stop, failed atomic.Bool
	var total atomic.Int64
	var group sync.WaitGroup
	begin := time.Now()
	for first := range evaluators {
		group.Go(func() {
			const between = 64 // looks at stop
			n := 0
			for i := first * len(flags) / evaluators; !stop.Load(); {
				for range between {
					i++
					if !e.evaluate(flags[i%len(flags)].key) {
						failed.Store(true)
					}
				}
				n += between
			}
			total.Add(int64(n))
		})
	}
	ticker := time.NewTicker(updateInterval)
	defer ticker.Stop()
	for time.Since(begin) < length {
		<-ticker.C
		e.version++
		require.NoError(b, e.update(flags[e.version%len(flags)], e.version))
	}
	stop.Store(true)
	group.Wait()
	require.False(b, failed.Load(), "an evaluation returned the default")
	return float64(total.Load()) / time.Since(begin).Seconds()
}

// source is a data source that delivers the flags, and then what the benchmark tells it to.
type source struct {
	flags []flagJSON
	sink  core.DataSourceUpdateSink
	done  chan struct{}
	once  sync.Once
}

func (s *source) make(_ core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
	s.sink, s.done = sink, make(chan struct{})
	return s, nil
}

func (s *source) Start(ctx context.Context) {
	if s.sink.Init(ctx, collections(s.flags, firstVersion)) == nil {
		s.sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
	}
}

func (s *source) Stop() { s.once.Do(func() { close(s.done) }) }

func (s *source) Done() <-chan struct{} { return s.done }

func (s *source) Initialized() bool { return true }

func ownEvaluating(b *bench, flags []flagJSON) *evaluating {
	b.Helper()
	from := &source{flags: flags}
	c := client(b, &memory{}, caching.TTL(0), from.make)
	ctx, who := b.ctx(), customer()
	return &evaluating{
		version:  firstVersion,
		evaluate: func(key string) bool { return c.BoolVariation(ctx, key, who, false) },
		update: func(flag flagJSON, version int) error {
			return from.sink.Upsert(ctx, core.Flags, flag.key, flag.item(version))
		},
	}
}

// sourceLD is the same for their client.
type sourceLD struct {
	flags []flagJSON
	sink  subsystems.DataSourceUpdateSink
}

func (s *sourceLD) Build(context subsystems.ClientContext) (subsystems.DataSource, error) {
	s.sink = context.GetDataSourceUpdateSink()
	return s, nil
}

func (s *sourceLD) Start(ready chan<- struct{}) {
	s.sink.Init(collectionsLD(s.flags, firstVersion))
	s.sink.UpdateStatus(interfaces.DataSourceStateValid, interfaces.DataSourceErrorInfo{})
	close(ready)
}

func (s *sourceLD) IsInitialized() bool { return true }

func (s *sourceLD) Close() error { return nil }

func theirEvaluating(b *bench, flags []flagJSON) *evaluating {
	b.Helper()
	from := &sourceLD{flags: flags}
	c := clientLD(b, persistentLD(&memoryLD{}), from)
	who, kind := customer(), ldstoreimpl.Features()
	return &evaluating{
		version: firstVersion,
		evaluate: func(key string) bool {
			value, err := c.BoolVariation(key, who, false)
			return value && err == nil
		},
		update: func(flag flagJSON, version int) error {
			if !from.sink.Upsert(kind, flag.key, flag.itemLD(version)) {
				return errWrong
			}
			return nil
		},
	}
}
