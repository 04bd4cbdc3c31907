package bigsegments

import (
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
)

const (
	// closeLimit is how long Close takes at most.
	closeLimit = 10 * time.Second
	// queriesEndIn is how much of it queries have to end before the store is closed all the same.
	queriesEndIn = closeLimit / 2
)

// Close ends polling and queries, waits until they have ended, and closes the store, whose error it returns. A second Close
// returns nil at once.
//
// It takes no time with a store that heeds its contexts, and at most 10 s with any other: queries that have not ended after
// 5 s no longer keep the store from being closed, and what has not ended after 10 s is left behind and logged. If that is
// the store's Close, the error wraps [core.ErrUnavailable].
func (m *Manager) Close() error {
	if !m.run.beginClose() {
		return nil
	}
	deadline := time.NewTimer(closeLimit)
	defer deadline.Stop()
	m.health.close()
	m.awaitQueries()
	err := m.awaitEnd(m.closeStore(), deadline.C)
	m.cache.clear()
	return err
}

func (m *Manager) awaitQueries() {
	timer := time.NewTimer(queriesEndIn)
	defer timer.Stop()
	select {
	case <-m.run.idle:
	case <-timer.C:
	}
}

// closeStore closes the store on a goroutine, which ends with the store's Close, and returns where the error will be.
func (m *Manager) closeStore() <-chan error {
	closed := make(chan error, 1)
	go func() {
		defer m.run.calling("Close")()
		_, err := guarded(func() (struct{}, error) { return struct{}{}, m.store.Close() })
		closed <- err
	}()
	return closed
}

// awaitEnd waits until nothing is pending and the store is closed, and returns the error of the latter. At the deadline it
// leaves behind what has not ended.
func (m *Manager) awaitEnd(closed <-chan error, deadline <-chan time.Time) (err error) {
	for idle := m.run.idle; idle != nil || closed != nil; {
		select {
		case <-idle:
			idle = nil
		case err = <-closed:
			closed = nil
		case <-deadline:
			m.options.Logger.Error("cleat: calls of the big segment store have not ended; they are left behind",
				"store", fmt.Sprintf("%T", m.store), "calls", m.run.unfinished(), "limit", closeLimit)
			if closed != nil {
				err = fmt.Errorf("bigsegments: %w: the store's Close has not ended within %v", core.ErrUnavailable, closeLimit)
			}
			return err
		}
	}
	return err
}
