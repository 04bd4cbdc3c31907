package suite

import (
	"fmt"
	"sync"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
)

// Concurrently calls work n times at once, waits for all, and fails the subtest with the first error.
func Concurrently(t testrun.T, n int, work func(i int) error) {
	t.Helper()
	if err := InParallel(n, work); err != nil {
		t.Fatal(err)
	}
}

// InParallel calls work n times at once, waits for all, and returns the first error.
func InParallel(n int, work func(i int) error) error {
	var workers sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		workers.Go(func() { errs[i] = work(i) })
	}
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("worker %d: %w", i, err)
		}
	}
	return nil
}
