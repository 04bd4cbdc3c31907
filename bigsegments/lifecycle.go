package bigsegments

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// lifecycle knows every goroutine of a manager, so that Close can end and await them.
type lifecycle struct {
	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc

	mu      sync.Mutex // guards closed, and keeps pending from growing once it is set
	closed  bool
	pending sync.WaitGroup
}

func newLifecycle() *lifecycle {
	l := &lifecycle{}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// enter notes that something begins; it reports false if the manager is closed. leave ends it.
func (l *lifecycle) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.pending.Add(1)
	}
	return !l.closed
}

func (l *lifecycle) leave() { l.pending.Done() }

// beginClose ends everything; it reports false if that has been done before.
func (l *lifecycle) beginClose() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.closed
	l.closed = true
	l.cancel()
	return first
}

// withLimit returns a context for one query: it carries the values of parent but not its end, ends when the manager is
// closed, and after limit at the latest. What one caller began, others may be waiting for.
func (l *lifecycle) withLimit(parent context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), limit)
	stop := context.AfterFunc(l.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// guarded makes an error of a panic, which would end the process, because it is nobody's goroutine that runs query.
func guarded[T any](query func() (T, error)) (result T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("bigsegments: the store panicked: %w: %v\n%s", core.ErrUnavailable, cause, debug.Stack())
		}
	}()
	return query()
}
