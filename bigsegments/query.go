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
	switch m.health.await(ctx, m.firstPollIn()) {
	case stateHealthy, stateStale:
	default:
		return cached{}, false
	}
	if ctx.Err() != nil {
		return cached{}, false
	}
	flight := m.flights.DoChan(contextKey, func() (any, error) { return m.query(ctx, contextKey) })
	// A store that does not heed the end of its context must hold up no caller, not even until the manager is closed.
	patience := time.NewTimer(m.options.QueryTimeout)
	defer patience.Stop()
	select {
	case result := <-flight:
		entry, ok = result.Val.(cached)
		return entry, ok && result.Err == nil
	case <-patience.C:
		m.noteFailure(core.BigSegmentContextHash(contextKey),
			fmt.Errorf("%w: no answer within %v", core.ErrUnavailable, m.options.QueryTimeout))
	case <-ctx.Done():
	case <-m.run.ctx.Done():
	}
	return cached{}, false
}

// firstPollIn returns for how long the first poll may still take. Whoever asks after that need not wait any more.
func (m *Manager) firstPollIn() time.Duration { return m.options.QueryTimeout - time.Since(m.began) }

// query reads a membership and keeps it.
func (m *Manager) query(ctx context.Context, contextKey string) (cached, error) {
	if !m.run.enter() {
		return cached{}, core.ErrClosed
	}
	defer m.run.leave()
	// Somebody may have read it between the caller's look at the cache and now.
	if entry, known := m.cache.get(contextKey); known && m.cache.isFresh(&entry) {
		return entry, nil
	}
	hash := core.BigSegmentContextHash(contextKey)
	membership, err := m.read(ctx, hash)
	switch {
	case err == nil:
		return m.cache.put(contextKey, membership), nil
	case concernsOne(err):
		m.damage.log(m.options.Logger, m.options.Now(), hash, err)
		return m.cache.putDamaged(contextKey), nil
	default:
		m.noteFailure(hash, err)
		return cached{}, err
	}
}

// read makes one query for a membership.
func (m *Manager) read(ctx context.Context, hash string) (core.BigSegmentMembership, error) {
	return limited(ctx, m, "Membership", func(ctx context.Context) (core.BigSegmentMembership, error) {
		return m.store.Membership(ctx, hash)
	})
}

// noteFailure begins an outage and makes the monitor look for its end.
func (m *Manager) noteFailure(hash string, err error) {
	if m.run.ctx.Err() != nil {
		return
	}
	m.health.queryFailed(&failure{hash: hash, err: fmt.Errorf("bigsegments: reading a membership: %w", err)})
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
