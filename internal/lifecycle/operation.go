package lifecycle

import (
	"context"
	"sync"
)

// Operation is the lifetime of a [core.BackgroundOperation] that consists of one goroutine. Make one with
// [NewOperation]. It is safe for concurrent use.
type Operation struct {
	done chan struct{}

	mu      sync.Mutex
	stopped bool
	cancel  context.CancelFunc // set by Run
}

// NewOperation returns an operation that has not begun.
func NewOperation() *Operation { return &Operation{done: make(chan struct{})} }

// Run calls run on a goroutine, with a context that ends with ctx or when Stop is called, unless that has happened
// before. Done is closed when run returns.
func (o *Operation) Run(ctx context.Context, run func(context.Context)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped || o.cancel != nil {
		return
	}
	ctx, o.cancel = context.WithCancel(ctx)
	go func() {
		defer close(o.done)
		defer o.Stop()
		run(ctx)
	}()
}

// Stop implements [core.BackgroundOperation].
func (o *Operation) Stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.cancel != nil:
		o.cancel()
	case !o.stopped:
		close(o.done)
	}
	o.stopped = true
}

// Done implements [core.BackgroundOperation].
func (o *Operation) Done() <-chan struct{} { return o.done }
