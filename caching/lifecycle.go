package caching

import (
	"context"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// lifecycle knows every goroutine and backend call of a wrapper, so that Close can end and await them.
type lifecycle struct {
	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc

	mu      sync.Mutex // guards closed, and keeps pending from growing once it is set
	closed  bool
	pending sync.WaitGroup
}

func (l *lifecycle) init() {
	l.ctx, l.cancel = context.WithCancel(context.Background())
}

// enter notes that something begins; it reports false if the wrapper is closed. leave ends it.
func (l *lifecycle) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.pending.Add(1)
	return true
}

func (l *lifecycle) leave() { l.pending.Done() }

// start runs f on a goroutine that Close waits for; f must return when l.ctx ends. It does nothing once closed.
func (l *lifecycle) start(f func()) {
	if l.enter() {
		go func() {
			defer l.leave()
			f()
		}()
	}
}

// beginClose ends everything; it reports false if that has been done before.
func (l *lifecycle) beginClose() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.closed = true
	l.cancel()
	return true
}

func (l *lifecycle) wait() { l.pending.Wait() }

// isClosed reports whether Close has begun.
func (l *lifecycle) isClosed() bool { return l.ctx.Err() != nil }

// withLimit returns a context for one call of the database: it carries the values of parent but not its end, ends when
// the wrapper is closed, and after limit at the latest. What one caller began, others may be waiting for.
func (l *lifecycle) withLimit(parent context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), limit)
	stop := context.AfterFunc(l.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

type outcome[T any] struct {
	value T
	err   error
}

// detached runs op to its end on a goroutine of its own, and returns its result, or the context's error as soon as ctx
// ends.
func detached[T any](ctx context.Context, l *lifecycle, op func() (T, error), release ...func()) (T, error) {
	done := make(chan outcome[T], 1)
	end := func() {
		for _, f := range release {
			f()
		}
	}
	if !l.enter() {
		end()
		var zero T
		return zero, core.ErrClosed
	}
	go func() {
		defer l.leave()
		defer end()
		value, err := op()
		done <- outcome[T]{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}
