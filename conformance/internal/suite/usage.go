package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
)

// Usage is a store in use by several workers while it is closed. Each worker stops at its first error, which has to be
// ErrClosed.
type Usage struct {
	workers int
	close   func() error
	call    func(ctx context.Context, n int) error
	begun   chan struct{} // receives once from each worker
	closed  atomic.Bool   // close has returned
}

// NewUsage describes the use of a store by its close and by a call, which one depending on n.
func NewUsage(workers int, closeStore func() error, call func(ctx context.Context, n int) error) *Usage {
	return &Usage{workers: workers, close: closeStore, call: call, begun: make(chan struct{}, workers)}
}

// Run closes the store when every worker has made so many calls.
func (u *Usage) Run(t testrun.T, head int) {
	t.Helper()
	Concurrently(t, u.workers+1, func(i int) error {
		if i < u.workers {
			return u.untilClosed(t.Context(), i, head)
		}
		for range u.workers {
			<-u.begun
		}
		defer u.closed.Store(true)
		return u.close()
	})
}

// untilClosed makes calls until one fails.
func (u *Usage) untilClosed(ctx context.Context, worker, head int) error {
	begin := sync.OnceFunc(func() { u.begun <- struct{}{} })
	defer begin()
	for n := 0; ; n++ {
		if n == head {
			begin()
		}
		closed := u.closed.Load()
		err := u.call(ctx, worker+n)
		switch {
		case errors.Is(err, core.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("a call that Close interrupted: the error is %w, want ErrClosed", err)
		case closed:
			return errors.New("a call after Close succeeded")
		}
	}
}
