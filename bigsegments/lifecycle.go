package bigsegments

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// lifecycle knows every goroutine of a manager, so that Close can end and await them.
type lifecycle struct {
	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc

	mu      sync.Mutex // guards what follows
	closed  bool
	pending int            // does not grow once closed is set
	calls   map[string]int // of the store, by name, that are under way
	idle    chan struct{}  // closed once closed is set and nothing is pending
}

func newLifecycle() *lifecycle {
	l := &lifecycle{calls: make(map[string]int), idle: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// enter notes that something begins; it reports false if the manager is closed. leave ends it.
func (l *lifecycle) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.pending++
	}
	return !l.closed
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
