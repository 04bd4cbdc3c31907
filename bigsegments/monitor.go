package bigsegments

import (
	"context"
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
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
		if m.run.Closed() {
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
		case <-m.run.Context().Done():
			return woken, false
		case <-timer.C:
			return woken, !m.run.Closed()
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
	return delay/2 + time.Duration(m.options.Random()*float64(delay/2))
}

// finding is the outcome of a poll.
type finding struct {
	state   state
	cause   error         // of the state, if there is one
	staleIn time.Duration // when the state turns stale if the store is not brought up to date again
}

// poll asks the store for its metadata and, if there is reason to doubt it, whether it knows memberships.
func (m *Manager) poll() finding {
	metadata, err := ask(m, &m.metadata, "Metadata", m.store.Metadata)
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
	age := m.options.Now().Sub(time.UnixMilli(int64(metadata.LastUpToDate)))
	if metadata.LastUpToDate == 0 || age > m.options.StaleAfter || age < -clockSkew {
		return finding{state: stateStale, staleIn: longest}
	}
	return finding{state: stateHealthy, staleIn: m.options.StaleAfter - max(age, 0) + time.Millisecond}
}

// inquiry is one of the monitor's own queries. If the store does not end it in time, nor when its context ends, it is left
// to itself, and not repeated before it has ended.
type inquiry[T any] struct{ ended chan answered[T] }

type answered[T any] struct {
	result T
	err    error
}

var errStillUnderWay = fmt.Errorf("%w: the query before has still not ended", core.ErrUnavailable)

// ask makes an inquiry of the store, of its method with the given name.
func ask[T any](
	m *Manager, q *inquiry[T], name string, query func(context.Context) (T, error),
) (none T, err error) {
	if q.ended != nil && len(q.ended) == 0 {
		return none, errStillUnderWay
	}
	ended := make(chan answered[T], 1)
	q.ended = ended
	m.run.Go(func() {
		result, err := limited(context.Background(), m, name, query)
		ended <- answered[T]{result, err}
	})
	late := time.NewTimer(m.options.QueryTimeout)
	defer late.Stop()
	select {
	case a := <-ended:
		q.ended = nil
		return a.result, a.err
	case <-late.C:
		return none, m.errNoAnswer()
	case <-m.run.Context().Done():
		return none, core.ErrClosed
	}
}

func (m *Manager) errNoAnswer() error {
	return fmt.Errorf("%w: no answer within %v", core.ErrUnavailable, m.options.QueryTimeout)
}

// limited runs one query of the store, the method with the given name, with a deadline. The context has the values of parent
// but not its end: what one caller began, others may be waiting for.
func limited[T any](parent context.Context, m *Manager, name string, query func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), m.options.QueryTimeout)
	defer cancel()
	result, err := lifecycle.Run(ctx, m.run, name, query)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", m.errNoAnswer(), err)
	}
	return result, err
}
