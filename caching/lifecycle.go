package caching

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// lifecycle knows every goroutine and backend call of a wrapper, so that Close can end and await them.
type lifecycle struct {
	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc

	mu      sync.Mutex // guards what follows
	closed  bool
	pending int            // does not grow once closed is set
	calls   map[string]int // of the store, by name, that are under way
	idle    chan struct{}  // closed once closed is set and nothing is pending
}

func (l *lifecycle) init() {
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.calls, l.idle = make(map[string]int), make(chan struct{})
}

// enter notes that something begins; it reports false if the wrapper is closed. leave ends it.
func (l *lifecycle) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.pending++
	return true
}

func (l *lifecycle) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending--
	l.noteIdle()
}

// noteIdle closes idle if it is time. The caller holds mu.
func (l *lifecycle) noteIdle() {
	if l.closed && l.pending == 0 {
		close(l.idle)
	}
}

// calling notes that a call of the store begins, so that Close can name it if it does not end; end ends it.
func (l *lifecycle) calling(name string) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[name]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.calls[name]--; l.calls[name] == 0 {
			delete(l.calls, name)
		}
	}
}

// unfinished names the calls of the store that are under way.
func (l *lifecycle) unfinished() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.calls))
}

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
	l.noteIdle()
	return true
}

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
// ends, or ErrClosed as soon as Close begins.
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
	case <-l.ctx.Done():
		var zero T
		return zero, core.ErrClosed
	}
}
