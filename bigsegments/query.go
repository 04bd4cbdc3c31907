package bigsegments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
)

// lookUp asks the store for a membership, together with all callers that do so now, and takes at most limit. It reports
// false if there was no answer, not even that there can be none now.
func (m *Manager) lookUp(ctx context.Context, contextKey string, limit time.Duration) (e entry, ok bool) {
	patience := time.NewTimer(limit)
	defer patience.Stop()
	if !m.health.await(ctx, patience.C).answers() || ctx.Err() != nil {
		return entry{}, false
	}
	flight := m.flights.join(ctx, contextKey, func() bool {
		// The store may have answered between the caller's look at the cache and now.
		if e, ok = m.cache.get(contextKey); ok {
			return false
		}
		return m.health.state().answers()
	})
	if flight == nil {
		return e, ok
	}
	defer m.flights.leave(flight)
	select {
	case <-flight.done:
		return flight.entry, flight.ok
	case <-patience.C:
	case <-ctx.Done():
	case <-m.store.Context().Done():
	}
	return entry{}, false
}

// fly reads a membership and keeps it.
func (m *Manager) fly(f *flight) (entry, bool) {
	if !m.health.state().answers() {
		return entry{}, false // an outage has begun since
	}
	hash, era := core.BigSegmentContextHash(f.key), m.cache.era.Load()
	membership, err := m.read(f, hash)
	if isAnswer(err) {
		m.row.end()
	}
	if err != nil {
		return m.fail(f.key, hash, era, err), true
	}
	return m.cache.put(f.key, membership, era), true
}

// read makes one query for a membership. If that is empty and was not before, it asks whether the store has been wiped. The
// query has the values of its first caller's context but not its end: others may wait for it.
func (m *Manager) read(f *flight, hash string) (core.BigSegmentMembership, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), m.options.QueryTimeout)
	defer cancel()
	membership, err := m.store.Membership(ctx, hash)
	if err == nil && membership.Len() == 0 && m.cache.knowsSegmentsOf(f.key) {
		var metadata core.BigSegmentMetadata
		if metadata, err = m.store.Metadata(ctx); err == nil && metadata.LastUpToDate == 0 {
			err = errWiped
		}
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: no answer within %v: %w", core.ErrUnavailable, m.options.QueryTimeout, err)
	}
	return membership, err
}

// maxFailurePause is the longest time that the store is not asked for a context again because the last query failed.
const maxFailurePause = 5 * time.Second

// fail notes that the query for a context failed, which is not repeated at once, and makes the monitor look.
func (m *Manager) fail(contextKey, hash string, era int64, err error) entry {
	if m.store.Closed() {
		return entry{}
	}
	pause := func(failures int) time.Duration { return min(m.retryDelay(failures), maxFailurePause) }
	if isAnswer(err) {
		pause = func(int) time.Duration { return maxFailurePause }
	} else {
		m.row.fail(hash, fmt.Errorf("bigsegments: reading a membership: %w", err))
	}
	failed := m.cache.putFailure(contextKey, era, pause)
	m.failures.log(m.options.Logger, m.options.now(), hash, err)
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return failed
}
