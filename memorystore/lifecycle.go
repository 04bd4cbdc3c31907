package memorystore

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
)

// lifecycle is the part of a store that refuses calls. Operations take no time worth interrupting, so it is asked once,
// before each.
type lifecycle struct {
	closed atomic.Bool
	done   chan struct{} // closed by Close
}

func newLifecycle() lifecycle { return lifecycle{done: make(chan struct{})} }

func (l *lifecycle) admit(ctx context.Context) error {
	if ctx == nil {
		return fmt.Errorf("memorystore: %w: nil context", core.ErrInvalid)
	}
	if l.closed.Load() {
		return fmt.Errorf("memorystore: %w", core.ErrClosed)
	}
	return ctx.Err()
}

func (l *lifecycle) close() error {
	if l.closed.CompareAndSwap(false, true) {
		close(l.done)
	}
	return nil
}
