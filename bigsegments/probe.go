package bigsegments

import (
	"context"
	"crypto/rand"

	"github.com/cleatdev/cleat/core"
)

// maxProbes is how many contexts are tried before it is said that the queries of all fail. On a Redis Cluster that lost one of
// three masters, five contexts in nine have a key there, and one try in ten thousand finds no other.
const maxProbes = 16

// probe reports whether the store can tell the membership of any context. It asks for some that do not exist: those that
// failed may lie on one part of the store. During an outage it asks for one alone, so as not to burden a store that recovers.
func (m *Manager) probe() bool {
	probes := maxProbes
	if m.health.state() == stateUnavailable {
		probes = 1
	}
	answered := m.anyAnswer(probes)
	if answered {
		m.row.end()
	}
	return answered
}

// anyAnswer asks for several contexts at once, and returns with the first answer, or when all have failed.
func (m *Manager) anyAnswer(probes int) bool {
	ctx, cancel := context.WithCancel(m.store.Context())
	defer cancel()
	errs := make(chan error, probes)
	for range probes {
		go func() {
			_, err := m.store.Membership(ctx, core.BigSegmentContextHash(rand.Text()))
			errs <- err
		}()
	}
	for range probes {
		if isAnswer(<-errs) {
			return true
		}
	}
	return false
}
