package measure

import (
	"errors"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// parts is how many pieces a measurement of both numbers of cores is cut into, so that each has its share of whatever else
// the machine does.
const parts = 4

// speedup returns the throughput of two goroutines on two cores relative to that of one on one.
func speedup(op Op, n int) (float64, error) {
	if op.Before != nil {
		return 0, errors.New("measure: an operation that needs preparation cannot be performed in parallel")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var one, two time.Duration
	part := max(1, n/parts)
	for range parts {
		for _, m := range []struct {
			cores int
			total *time.Duration
		}{{1, &one}, {2, &two}} {
			elapsed, err := onCores(m.cores, func() error { return op.Run(part) })
			if err != nil {
				return 0, err
			}
			*m.total += elapsed
		}
	}
	return 2 * float64(one) / float64(two), nil
}

// onCores runs work once for each core at the same time.
func onCores(cores int, work func() error) (time.Duration, error) {
	runtime.GOMAXPROCS(cores)
	var group errgroup.Group
	begin := time.Now()
	for range cores {
		group.Go(work)
	}
	err := group.Wait()
	return time.Since(begin), err
}
