package bigsegments

import (
	"context"
	"crypto/rand"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
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
	_, err := ask(m, &m.probes, "Membership", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, m.anyAnswer(ctx, probes)
	})
	if err == nil {
		m.row.end()
	}
	return err == nil
}

// anyAnswer asks for several contexts at once, and returns with the first answer, or when all have failed.
func (m *Manager) anyAnswer(ctx context.Context, probes int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, probes)
	for range probes {
		go func() {
			_, err := lifecycle.Run(ctx, m.run, "Membership", func(ctx context.Context) (core.BigSegmentMembership, error) {
				return m.store.Membership(ctx, core.BigSegmentContextHash(rand.Text()))
			})
			errs <- err
		}()
	}
	var err error
	for range probes {
		if err = <-errs; isAnswer(err) {
			return nil
		}
	}
	return err
}
