package bigsegments

import (
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
)

const (
	// minRetryDelay is after what time a failed query is repeated first.
	minRetryDelay = 250 * time.Millisecond
	// minStaleDelay is the least time between two polls of which the second is made because the status would turn stale.
	minStaleDelay = time.Second
	maxDoublings  = 20
	// clockSkew is how far in the future the time may be at which the store was up to date, by the clock of another machine.
	clockSkew = 5 * time.Minute
)

// monitor polls the store again and again until the manager is closed. It alone decides what state the store is in.
func (m *Manager) monitor() {
	for retries := 0; ; {
		found := m.poll()
		if m.store.Closed() {
			return
		}
		m.health.set(found.state, found.cause, m.cache.renew)
		delay := min(m.options.StatusPollInterval, max(found.staleIn, minStaleDelay))
		if found.state == stateUnavailable {
			m.flights.refuse()
			delay = m.retryDelay(retries)
		}
		woken, ok := m.pause(delay, retries)
		if !ok {
			return
		}
		if retries++; !woken && found.state != stateUnavailable {
			retries = 0
		}
	}
}

// pause waits until it is time for the next poll, which is sooner if a query fails meanwhile: then it reports that it was
// woken. It reports false if the manager was closed.
func (m *Manager) pause(delay time.Duration, retries int) (woken, ok bool) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	due := time.Now().Add(delay)
	for wake := m.wake; ; {
		select {
		case <-m.store.Context().Done():
			return woken, false
		case <-timer.C:
			return woken, !m.store.Closed()
		case <-wake:
			woken, wake = true, nil
			timer.Reset(min(time.Until(due), m.wakeDelay(retries)))
		}
	}
}

// wakeDelay returns how long to wait with a poll because a query failed: not at all, if the polls before had no such reason.
func (m *Manager) wakeDelay(retries int) time.Duration {
	if retries == 0 {
		return 0
	}
	return m.retryDelay(retries - 1)
}

// retryDelay returns how long to wait after a failure that followed on as many others.
func (m *Manager) retryDelay(failures int) time.Duration {
	delay := min(minRetryDelay<<min(failures, maxDoublings), m.options.StatusPollInterval)
	return delay/2 + time.Duration(m.options.random()*float64(delay/2))
}

// finding is the outcome of a poll.
type finding struct {
	state   state
	cause   error         // of the state, if there is one
	staleIn time.Duration // when the state turns stale if the store is not brought up to date again
}

// poll asks the store for its metadata and, if there is reason to doubt it, whether it knows memberships.
func (m *Manager) poll() finding {
	metadata, err := m.store.Metadata(m.store.Context())
	if err != nil {
		err = fmt.Errorf("bigsegments: reading the store's metadata: %w", err)
	}
	if !isAnswer(err) {
		return finding{state: stateUnavailable, cause: err}
	}
	if failure := m.row.suspicious(); failure != nil && !m.probe() {
		return finding{state: stateUnavailable, cause: failure}
	}
	if err != nil {
		return finding{state: stateStale, cause: err, staleIn: longest}
	}
	return m.judge(metadata)
}

// judge returns what a store is that answers.
func (m *Manager) judge(metadata core.BigSegmentMetadata) finding {
	age := m.options.now().Sub(time.UnixMilli(int64(metadata.LastUpToDate)))
	if metadata.LastUpToDate == 0 || age > m.options.StaleAfter || age < -clockSkew {
		return finding{state: stateStale, staleIn: longest}
	}
	return finding{state: stateHealthy, staleIn: m.options.StaleAfter - max(age, 0) + time.Millisecond}
}
