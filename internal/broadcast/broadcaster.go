package broadcast

import (
	"log/slog"
	"slices"
	"sync"
)

// MaxPending is how many values wait for a listener that is busy. It leaves room for one change of each flag of a large
// environment several times over.
const MaxPending = 100_000

// Broadcaster passes every published value to all listeners. It is safe for concurrent use, also from inside a
// listener. Make one with [New].
type Broadcaster[T any] struct {
	logger *slog.Logger

	mu        sync.Mutex
	listeners []*listener[T]
	closed    bool
}

// New returns a Broadcaster without listeners. The logger gets panics of listeners and dropped values; nil means
// slog.Default().
func New[T any](logger *slog.Logger) *Broadcaster[T] {
	if logger == nil {
		logger = slog.Default()
	}
	return &Broadcaster[T]{logger: logger}
}

// Add calls the function with every value published from now on, until remove is called or the Broadcaster closed. A
// function that is added twice is called twice; nil and anything added after Close are ignored.
//
// After remove has returned, no further call begins, and what was waiting is forgotten. It does not wait for a call that
// is under way and may be called from inside it. Calling it again has no effect.
func (b *Broadcaster[T]) Add(call func(T)) (remove func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if call == nil || b.closed {
		return func() {}
	}
	l := &listener[T]{call: call, logger: b.logger}
	b.listeners = append(b.listeners, l)
	return func() { b.remove(l) }
}

func (b *Broadcaster[T]) remove(l *listener[T]) {
	b.mu.Lock()
	if i := slices.Index(b.listeners, l); i >= 0 {
		b.listeners = slices.Delete(b.listeners, i, i+1)
	}
	b.mu.Unlock()
	l.stop()
}

// HasListeners reports whether a listener would receive a value that is published now.
func (b *Broadcaster[T]) HasListeners() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.listeners) > 0
}

// Publish passes the value to all listeners and returns at once. All listeners get the values of concurrent calls in the
// same order. After Close it does nothing.
func (b *Broadcaster[T]) Publish(value T) {
	overflowing := b.enqueue(value)
	for range overflowing {
		b.logger.Warn("cleat: a listener is too slow; the oldest values that wait for it are dropped", "limit", MaxPending)
	}
}

// enqueue returns how many listeners have begun to lose values.
func (b *Broadcaster[T]) enqueue(value T) (overflowing int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.listeners {
		if l.enqueue(value) {
			overflowing++
		}
	}
	return overflowing
}

// Close removes all listeners: once it has returned, no further call begins. It does not wait for calls that are under
// way. It is idempotent.
func (b *Broadcaster[T]) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, l := range b.listeners {
		l.stop()
	}
	b.listeners = nil
}
