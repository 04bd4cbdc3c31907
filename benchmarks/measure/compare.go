package measure

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Op is what one side does.
type Op struct {
	// Run performs n operations. It is required. With Parallel, it is called by two goroutines at once.
	Run func(n int) error
	// Before prepares for n operations and is not measured; nil means that there is nothing to prepare. It needs N.
	Before func(n int) error
	// N is how many operations a sample has, which one call of Run performs; 0 means as many as take [Options].SampleTime,
	// in several calls.
	N int
	// Counters are read before and after each sample.
	Counters map[Metric]func() int64
	// Parallel is true if [Speedup] is to be measured.
	Parallel bool
}

// Options says how a comparison is made. The zero value of each field means its default.
type Options struct {
	// Rounds is how many samples each side has; 0 means 7.
	Rounds int
	// SampleTime is about how long a sample takes; 0 means 100 ms.
	SampleTime time.Duration
}

// Defaults of [Options].
const (
	DefaultRounds     = 7
	DefaultSampleTime = 100 * time.Millisecond
)

func (o Options) withDefaults() Options {
	if o.Rounds == 0 {
		o.Rounds = DefaultRounds
	}
	if o.SampleTime == 0 {
		o.SampleTime = DefaultSampleTime
	}
	return o
}

// Compare takes samples of all sides in turn. The order rotates from round to round. The first error of a side ends it.
func Compare(ops map[Side]Op, options Options) (*Comparison, error) {
	options = options.withDefaults()
	sides := present(ops)
	if len(sides) == 0 {
		return nil, errors.New("measure: nothing to compare")
	}
	counts := map[Side]int{}
	for _, side := range sides {
		n, err := calibrate(ops[side], options.SampleTime)
		if err != nil {
			return nil, fmt.Errorf("measure: %s: %w", side, err)
		}
		counts[side] = n
	}
	comparison := &Comparison{}
	for i := range options.Rounds {
		round := Round{}
		for j := range sides {
			side := sides[(i+j)%len(sides)]
			sample, err := take(ops[side], counts[side])
			if err != nil {
				return nil, fmt.Errorf("measure: %s: %w", side, err)
			}
			round[side] = sample
		}
		comparison.Add(round)
	}
	return comparison, nil
}

func present(ops map[Side]Op) (sides []Side) {
	for _, side := range Sides() {
		if _, found := ops[side]; found {
			sides = append(sides, side)
		}
	}
	return sides
}

// calibrate returns how many operations a sample has, and leaves everything warm.
func calibrate(op Op, sampleTime time.Duration) (int, error) {
	if op.N > 0 {
		return op.N, op.perform(op.N)
	}
	const most = 1_000_000_000
	if op.Before != nil {
		return 0, errors.New("an operation that needs preparation needs N")
	}
	for n := 1; ; {
		begin := time.Now()
		if err := op.Run(n); err != nil {
			return 0, err
		}
		elapsed := time.Since(begin)
		if elapsed >= sampleTime || n >= most {
			return max(1, int(float64(n)*float64(sampleTime)/float64(elapsed))), nil
		}
		// Grow fast, but not by more than a hundred times on the word of a short run.
		wanted := float64(n) * 1.2 * float64(sampleTime) / float64(max(elapsed, 1))
		n = min(max(int(wanted), 2*n), 100*n, most)
	}
}

func (op Op) perform(n int) error {
	if op.Before != nil {
		if err := op.Before(n); err != nil {
			return err
		}
	}
	return op.Run(n)
}

// sample performs the operations of a sample. How many a call of Run performs is up to us only if N does not say it.
func (op Op) sample(n int) error {
	if op.N > 0 {
		return op.Run(n)
	}
	return spread(op.Run, n)
}

// take takes one sample of n operations.
func take(op Op, n int) (Sample, error) {
	if op.Before != nil {
		if err := op.Before(n); err != nil {
			return nil, err
		}
	}
	counted := map[Metric]int64{}
	for metric, counter := range op.Counters {
		counted[metric] = counter()
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	err := op.sample(n)
	elapsed := time.Since(begin)
	runtime.ReadMemStats(&after)
	if err != nil {
		return nil, err
	}
	per := float64(n)
	sample := Sample{
		Time:        float64(elapsed.Nanoseconds()) / per,
		Allocations: float64((after.Mallocs - before.Mallocs) / uint64(n)), // whole ones, as package testing does
		Bytes:       float64((after.TotalAlloc - before.TotalAlloc) / uint64(n)),
	}
	for metric, counter := range op.Counters {
		sample[metric] = float64(counter()-counted[metric]) / per
	}
	if op.Parallel {
		if sample[Speedup], err = speedup(op, n); err != nil {
			return nil, err
		}
	}
	return sample, nil
}
