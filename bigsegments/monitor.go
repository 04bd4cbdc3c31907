package bigsegments

import (
	"context"
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
)

const (
	// minRetryDelay is after what time a failed query is repeated first, if the store is not polled sooner.
	minRetryDelay = 250 * time.Millisecond
	// minStaleDelay is the least time between two polls of which the second is made because the status would turn stale.
	minStaleDelay = time.Second
	maxDoublings  = 20
)

// monitor reads the store's metadata again and again until the manager is closed.
func (m *Manager) monitor() {
	defer m.run.leave()
	retries := 0
	for {
		delay := m.options.StatusPollInterval
		if staleIn, ok := m.poll(); !ok {
			delay = m.retryDelay(retries)
			retries++
		} else {
			retries = 0
			delay = min(delay, max(staleIn, minStaleDelay))
		}
		if !m.pause(delay) {
			return
		}
	}
}

// pause waits until it is time for the next poll, which is sooner if a query fails meanwhile. It reports false if the
// manager was closed.
func (m *Manager) pause(delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for due := time.Now().Add(delay); ; {
		select {
		case <-m.run.ctx.Done():
			return false
		case <-timer.C:
			return m.run.ctx.Err() == nil
		case <-m.wake:
			timer.Reset(min(time.Until(due), m.retryDelay(0)))
		}
	}
}

// retryDelay returns how long to wait after a failure that followed on as many others.
func (m *Manager) retryDelay(failures int) time.Duration {
	delay := min(minRetryDelay<<min(failures, maxDoublings), m.options.StatusPollInterval)
	return delay/2 + time.Duration(m.options.Random()*float64(delay/2))
}

// poll brings the status up to date, and returns in what time it would turn stale if the store were not brought up to date
// again. It reports false if the store does not work.
func (m *Manager) poll() (staleIn time.Duration, ok bool) {
	metadata, err := limited(context.Background(), m, "Metadata", m.store.Metadata)
	if m.run.ctx.Err() != nil {
		return 0, false
	}
	if err != nil {
		m.health.polled(poll{err: fmt.Errorf("bigsegments: reading the store's metadata: %w", err)})
		m.flights.refuse()
		return 0, false
	}
	failed := m.health.pendingFailure()
	if failed != nil && !m.repeat(failed) {
		return 0, false
	}
	staleIn, stale := m.staleIn(metadata)
	m.health.polled(poll{stale: stale, repeated: failed})
	return staleIn, true
}

// repeat repeats a query that has failed, and reports whether it works again.
func (m *Manager) repeat(failed *failure) bool {
	_, err := m.read(context.Background(), failed.hash)
	return err == nil || concernsOne(err)
}

// staleIn returns when data that was last up to date as the metadata says turns stale, or that it is so already.
func (m *Manager) staleIn(metadata core.BigSegmentMetadata) (in time.Duration, stale bool) {
	if metadata.LastUpToDate == 0 {
		return longest, true
	}
	age := max(m.options.Now().Sub(time.UnixMilli(int64(metadata.LastUpToDate))), 0) // clocks differ
	if age > m.options.StaleAfter {
		return longest, true
	}
	return m.options.StaleAfter - age + time.Millisecond, false
}

// limited runs one query of the store, the method with the given name, with a deadline.
func limited[T any](parent context.Context, m *Manager, name string, query func(context.Context) (T, error)) (T, error) {
	defer m.run.calling(name)()
	ctx, cancel := m.run.withLimit(parent, m.options.QueryTimeout)
	defer cancel()
	result, err := guarded(func() (T, error) { return query(ctx) })
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: no answer within %v: %w", core.ErrUnavailable, m.options.QueryTimeout, err)
	}
	return result, err
}
