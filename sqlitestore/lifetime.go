package sqlitestore

import (
	"context"
	"sync"
)

// lifetime counts the operations that are running, and ends them.
type lifetime struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	ended   context.Context // ends when Close is called
	end     context.CancelFunc
	once    sync.Once
}

func (l *lifetime) begin(ctx context.Context) {
	l.ended, l.end = context.WithCancel(context.WithoutCancel(ctx))
}

// enter counts an operation, unless Close has been called. Every true answer is followed by leave.
func (l *lifetime) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.running.Add(1)
	return true
}

func (l *lifetime) leave() { l.running.Done() }

// finish ends all operations, waits for them, and then calls release. Only the first call does anything; others wait for
// it and return nil.
func (l *lifetime) finish(release func() error) (err error) {
	l.once.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		l.end()
		l.running.Wait()
		err = release()
	})
	return err
}
