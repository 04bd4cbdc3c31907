package flagtest

import (
	"sync"
	"testing/synctest"

	"github.com/cleatdev/cleat/core"
)

// Collector is a listener that keeps what it was called with.
type Collector[T any] struct {
	mu  sync.Mutex
	got []T
}

// Listen is the listener.
func (c *Collector[T]) Listen(value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, value)
}

// Take returns what has come since the last call, after everything has been delivered.
func (c *Collector[T]) Take() []T {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.got
	c.got = nil
	return got
}

// TakeKeys returns the keys of what Take returns.
func TakeKeys(c *Collector[core.FlagChange]) []string {
	changes := c.Take()
	keys := make([]string, 0, len(changes))
	for _, change := range changes {
		keys = append(keys, change.Key)
	}
	return keys
}
