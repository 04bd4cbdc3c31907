package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
)

// usage is a store in use by several workers while it is closed. Each worker stops at its first error, which has to be
// ErrClosed.
type usage struct {
	workers int
	close   func() error
	call    func(ctx context.Context, n int) error
	begun   chan struct{} // receives once from each worker
	closed  atomic.Bool   // close has returned
}

func newUsage(workers int, closeStore func() error, call func(ctx context.Context, n int) error) *usage {
	return &usage{workers: workers, close: closeStore, call: call, begun: make(chan struct{}, workers)}
}

// run closes the store when every worker has made so many calls.
func (u *usage) run(t tester, head int) {
	t.Helper()
	concurrently(t, u.workers+1, func(i int) error {
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
func (u *usage) untilClosed(ctx context.Context, worker, head int) error {
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
