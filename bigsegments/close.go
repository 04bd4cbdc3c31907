package bigsegments

import (
	"fmt"
	"time"
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
	began := time.Now()
	if !m.run.BeginClose() {
		return nil
	}
	m.health.close()
	m.awaitQueries()
	left, err := m.run.Close(closeLimit-time.Since(began), m.store.Close)
	if len(left) > 0 {
		m.options.Logger.Error("cleat: calls of the big segment store have not ended; they are left behind",
			"store", fmt.Sprintf("%T", m.store), "calls", left, "limit", closeLimit)
	}
	m.cache.clear()
	return err
}

func (m *Manager) awaitQueries() {
	timer := time.NewTimer(queriesEndIn)
	defer timer.Stop()
	select {
	case <-m.run.Idle():
	case <-timer.C:
	}
}
