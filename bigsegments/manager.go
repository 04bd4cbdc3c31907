package bigsegments

import (
	"context"
	"fmt"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// Manager looks up memberships and knows the status of the store that they come from. It is safe for concurrent use. Make
// one with [NewManager].
type Manager struct {
	store    *lifecycle.BigSegments // and the goroutines of the manager
	options  Options
	cache    *cache
	health   *health
	flights  flights
	row      row
	failures failureLog
	wake     chan struct{} // holds a token if a query has failed since the last poll
}

var _ core.BigSegmentStoreStatusProvider = (*Manager)(nil)

// NewManager makes a manager of the store, which from then on belongs to it, and begins to poll. Nil options mean the
// defaults. If it returns an error, which wraps [core.ErrInvalid], the store still belongs to the caller.
func NewManager(store core.BigSegmentStore, opts *Options) (*Manager, error) {
	if store == nil {
		return nil, fmt.Errorf("bigsegments: %w: no store", core.ErrInvalid)
	}
	m := &Manager{wake: make(chan struct{}, 1)}
	if opts != nil {
		m.options = *opts
	}
	if err := m.options.validate(); err != nil {
		return nil, err
	}
	m.options.setDefaults()
	var err error
	if m.cache, err = newCache(&m.options); err != nil {
		return nil, fmt.Errorf("bigsegments: %w: making the cache: %w", core.ErrInvalid, err)
	}
	m.health = newHealth(m.options.Logger)
	m.store = lifecycle.BoundBigSegments(lifecycle.New("bigsegments", m.options.Logger), store,
		lifecycle.Limits{Read: m.options.QueryTimeout})
	m.flights = flights{run: m.store.Group, fly: m.fly, limit: m.options.QueryTimeout, byKey: make(map[string]*flight)}
	m.store.Go(m.monitor)
	return m, nil
}

// Membership returns the membership of the context with the given key, and what an evaluation has to say about it. The
// status is STORE_ERROR, and the membership empty, if it is not known: because the store fails, because ctx ended before it
// answered, because ctx is nil, or because the manager is closed. It is never NOT_CONFIGURED.
//
// What is fresh in the cache is returned whatever the state of ctx. Until the store has been polled for the first time, it
// waits for that, at most for [Options].QueryTimeout.
func (m *Manager) Membership(
	ctx context.Context, contextKey string,
) (core.BigSegmentMembership, ldreason.BigSegmentsStatus) {
	return m.membership(ctx, contextKey, m.options.QueryTimeout)
}

// membership is Membership with another limit.
func (m *Manager) membership(
	ctx context.Context, contextKey string, limit time.Duration,
) (core.BigSegmentMembership, ldreason.BigSegmentsStatus) {
	known, settled := m.cache.get(contextKey)
	if !settled && ctx != nil {
		if found, ok := m.lookUp(ctx, contextKey, limit); ok {
			return m.answer(&found, true)
		}
	}
	return m.answer(&known, settled)
}

// answer returns what is said of a context of which e is known; settled means that the store has just said so, or need not be
// asked again.
func (m *Manager) answer(e *entry, settled bool) (core.BigSegmentMembership, ldreason.BigSegmentsStatus) {
	switch state := m.health.state(); {
	case state == stateClosed:
	case settled && e.failures == 0:
		return e.membership, state.reason()
	case m.cache.isUsable(e):
		return e.membership, ldreason.BigSegmentsStale
	}
	return core.BigSegmentMembership{}, ldreason.BigSegmentsStoreError
}

// Status implements [core.BigSegmentStoreStatusProvider]. Until the store has been polled for the first time, it waits for
// that, at most for [Options].QueryTimeout; a store that does not answer is not available. After Close it is not available
// either.
func (m *Manager) Status() core.BigSegmentStoreStatus {
	return m.health.await(m.store.Context(), nil).status()
}

// AddListener implements [core.BigSegmentStoreStatusProvider]. The first status is announced unless it is that of a store
// that works and is up to date.
func (m *Manager) AddListener(listener func(core.BigSegmentStoreStatus)) (remove func()) {
	return m.health.listeners.Add(listener)
}
