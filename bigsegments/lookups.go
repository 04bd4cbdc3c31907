package bigsegments

import (
	"context"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/cleatdev/cleat/core"
)

// Lookups are lookups that belong together: those of one evaluation, or of several for the same context. Together, those of
// one evaluation wait for the store for at most [Options].QueryTimeout; and what had to be waited for, be it in vain, holds for
// all evaluations. So one evaluation costs one time-out at most, and any number of them one for each context.
//
// It is not safe for concurrent use. Make one with [Manager.Lookups].
type Lookups struct {
	manager *Manager
	waited  time.Duration // in this evaluation
	found   map[string]lookup
}

type lookup struct {
	membership core.BigSegmentMembership
	status     ldreason.BigSegmentsStatus
}

// Lookups returns the lookups of an evaluation.
func (m *Manager) Lookups() *Lookups { return &Lookups{manager: m} }

// NextEvaluation begins another evaluation for the same context.
func (l *Lookups) NextEvaluation() { l.waited = 0 }

// Forget makes it as good as new.
func (l *Lookups) Forget() {
	l.waited = 0
	clear(l.found)
}

// Waited returns for how long the evaluation has waited for the store.
func (l *Lookups) Waited() time.Duration { return l.waited }

// Membership is [Manager.Membership] as one of these lookups. One for which no time is left does not ask the store.
func (l *Lookups) Membership(
	ctx context.Context, contextKey string,
) (core.BigSegmentMembership, ldreason.BigSegmentsStatus) {
	if found, again := l.found[contextKey]; again {
		return found.membership, found.status
	}
	m := l.manager
	known, settled := m.cache.get(contextKey)
	if settled {
		return m.answer(&known, true)
	}
	limit := m.options.QueryTimeout - l.waited
	if limit <= 0 {
		return m.answer(&known, false)
	}
	began := time.Now()
	var now lookup
	now.membership, now.status = m.membership(ctx, contextKey, limit)
	l.waited += time.Since(began)
	if l.found == nil {
		l.found = make(map[string]lookup)
	}
	l.found[contextKey] = now
	return now.membership, now.status
}
