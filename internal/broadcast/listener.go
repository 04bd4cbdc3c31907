package broadcast

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// listener is one function and what waits for it.
type listener[T any] struct {
	call   func(T)
	logger *slog.Logger

	mu       sync.Mutex
	pending  []T
	running  bool // a goroutine is delivering
	dropping bool // values were lost since the queue was last empty
	stopped  bool
}

// enqueue reports whether the listener has begun to lose values.
func (l *listener[T]) enqueue(value T) (overflowing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	if len(l.pending) == MaxPending {
		l.dropOldest()
		overflowing = !l.dropping
		l.dropping = true
	}
	l.pending = append(l.pending, value)
	if !l.running {
		l.running = true
		go l.run()
	}
	return overflowing
}

func (l *listener[T]) dropOldest() {
	var zero T
	l.pending[0] = zero // the slot stays in memory for a while, what it refers to need not
	l.pending = l.pending[1:]
}

// next takes the oldest value, or ends the delivery if there is none.
func (l *listener[T]) next() (value T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		l.pending, l.running, l.dropping = nil, false, false
		return value, false
	}
	value = l.pending[0]
	l.dropOldest()
	return value, true
}

func (l *listener[T]) run() {
	finished := false
	defer func() {
		if !finished { // the function ended the goroutine with runtime.Goexit
			go l.run()
		}
	}()
	for {
		value, ok := l.next()
		if !ok {
			break
		}
		l.deliver(value)
	}
	finished = true
}

func (l *listener[T]) deliver(value T) {
	defer func() {
		if cause := recover(); cause != nil {
			l.logger.Error("cleat: a listener panicked", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	l.call(value)
}

func (l *listener[T]) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	l.pending = nil
}
