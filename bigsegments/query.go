package bigsegments

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// lookUp asks the store for a membership, together with everybody else who does so now. It reports false if the membership
// cannot be had now.
func (m *Manager) lookUp(ctx context.Context, contextKey string) (entry cached, ok bool) {
	if !m.health.await(ctx, m.firstPollIn()).answers() || ctx.Err() != nil {
		return cached{}, false
	}
	flight := m.flights.join(ctx, contextKey, func() bool {
		// Somebody may have read it between the caller's look at the cache and now.
		if entry, ok = m.cache.get(contextKey); ok && m.cache.isFresh(&entry) {
			return false
		}
		entry, ok = cached{}, false
		return m.health.state().answers()
	})
	if flight == nil {
		return entry, ok
	}
	return m.wait(ctx, flight)
}

// wait waits for the outcome of a flight that the caller has joined, and leaves it.
func (m *Manager) wait(ctx context.Context, f *flight) (entry cached, ok bool) {
	patience := time.NewTimer(m.options.QueryTimeout)
	defer patience.Stop()
	late := false
	select {
	case <-f.done:
		entry, ok = f.entry, f.ok
	case <-patience.C:
		late = true
	case <-ctx.Done():
	case <-m.run.ctx.Done():
	}
	if underWay := m.flights.leave(f); late && underWay >= m.options.QueryTimeout {
		m.noteOverdue(core.BigSegmentContextHash(f.key)) // so that this caller's next lookup costs no time
	}
	return entry, ok
}

// firstPollIn returns for how long the first poll may still take. Whoever asks after that need not wait any more.
func (m *Manager) firstPollIn() time.Duration { return m.options.QueryTimeout - time.Since(m.began) }

// fly reads a membership and keeps it.
func (m *Manager) fly(f *flight) (cached, bool) {
	if !m.run.enter() {
		return cached{}, false
	}
	defer m.run.leave()
	if !m.health.state().answers() {
		return cached{}, false // an outage has begun since
	}
	hash := core.BigSegmentContextHash(f.key)
	// A store that does not heed the end of its context must not keep its failure to itself, be there callers or not.
	overdue := time.AfterFunc(m.options.QueryTimeout, func() { m.noteOverdue(hash) })
	defer overdue.Stop()
	membership, err := m.read(f.ctx, hash)
	switch {
	case err == nil:
		return m.cache.put(f.key, membership), true
	case concernsOne(err):
		m.damage.log(m.options.Logger, m.options.Now(), hash, err)
		return m.cache.putDamaged(f.key), true
	default:
		m.noteFailure(hash, err)
		return cached{}, false
	}
}

// read makes one query for a membership.
func (m *Manager) read(ctx context.Context, hash string) (core.BigSegmentMembership, error) {
	return limited(ctx, m, "Membership", func(ctx context.Context) (core.BigSegmentMembership, error) {
		return m.store.Membership(ctx, hash)
	})
}

func (m *Manager) noteOverdue(hash string) {
	m.noteFailure(hash, fmt.Errorf("%w: no answer within %v", core.ErrUnavailable, m.options.QueryTimeout))
}

// noteFailure begins an outage and makes the monitor look for its end.
func (m *Manager) noteFailure(hash string, err error) {
	if m.run.ctx.Err() != nil {
		return
	}
	m.health.queryFailed(&failure{hash: hash, err: fmt.Errorf("bigsegments: reading a membership: %w", err)})
	m.flights.refuse()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// damageLogInterval is the least time between two log messages about memberships that cannot be read.
const damageLogInterval = time.Minute

// damageLog keeps a store with many damaged memberships from flooding the log.
type damageLog struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (d *damageLog) log(logger *slog.Logger, now time.Time, hash string, err error) {
	d.mu.Lock()
	since := now.Sub(d.last)
	if since >= 0 && since < damageLogInterval {
		d.skipped++
		d.mu.Unlock()
		return
	}
	skipped := d.skipped
	d.last, d.skipped = now, 0
	d.mu.Unlock()
	logger.Error("cleat: the membership of a context in big segments cannot be read",
		"context_hash", hash, "error", err, "not_logged", skipped)
}
