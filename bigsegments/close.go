package bigsegments

// Close ends polling and queries, waits until they have ended, and closes the store, whose error it returns. A second Close
// returns nil at once.
//
// It takes no time with a store that heeds its contexts, and at most 10 s with any other: queries that have not ended after
// a moment no longer keep the store from being closed, and what has not ended after 10 s is left behind and logged. If that is
// the store's Close, the error wraps [core.ErrUnavailable].
func (m *Manager) Close() error {
	m.health.close()
	err := m.store.Close()
	m.cache.clear()
	return err
}
