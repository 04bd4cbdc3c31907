package synchronizer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/mockbigsegments"
)

// The same as on the memory store holds on every real database, and with processes that are killed in the middle of what
// they do.
func TestSynchronizer_Model_EveryStore(t *testing.T) {
	const phases = 4
	for name, prepare := range targets() {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, prepare(t))
			for range phases {
				m.phase(t, max(1, revisionsOr(48)/phases))
			}
			t.Logf("%d processes were killed during %d revisions", m.killed, m.published)
		})
	}
}

// model is a real database that is filled from a mock service, and what it should be.
type model struct {
	target  target
	store   store
	service *mockbigsegments.Service
	uri     string
	random  *rand.Rand
	history *history

	published, killed int
}

func newModel(t *testing.T, g target) *model {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	m := &model{
		target: g, store: g.mustOpen(t), service: mockbigsegments.New(t),
		random: rand.New(rand.NewPCG(seed, 1)), history: newHistory(t, seed),
	}
	m.history.most = 150 // more than one transaction of DynamoDB or Consul holds
	server := httptest.NewServer(m.service)
	t.Cleanup(func() {
		m.service.Close() // ends the streams that the server would wait for
		server.Close()
	})
	m.uri = server.URL
	return m
}

// phase publishes revisions under some hazards, waits until the store has them all, and compares.
func (m *model) phase(t *testing.T, revisions int) {
	t.Helper()
	z := randomHazards(m.random, 20*time.Millisecond)
	m.service.SetForm(z.form)
	m.service.SetPageSize(z.pageSize)
	m.service.SetEventSize(z.eventSize)
	last := ""
	stopWriters := m.startWriters(t, z)
	ctx, cancel := context.WithCancel(t.Context())
	var children sync.WaitGroup
	random := rand.New(rand.NewPCG(m.random.Uint64(), 0))
	children.Go(func() {
		m.killed += killChildren(ctx, t, childTask{m.uri, m.target, z.delay}, random)
	})
	for range revisions {
		time.Sleep(time.Duration(m.random.IntN(40)) * time.Millisecond)
		last = z.publish(m.random, m.service, m.history)
		m.published++
	}
	cancel()
	children.Wait()
	m.awaitCursor(t, last, z)
	stopWriters()
	require.Zero(t, m.history.differences(t, m.store), "%v", z)
}

// awaitCursor waits until the store's cursor is at a version. It may take long to get there, as every writer writes
// everything, but not long without getting nearer.
func (m *model) awaitCursor(t *testing.T, want string, z hazards) {
	t.Helper()
	number := func(version string) (n int) {
		_, _ = fmt.Sscanf(version, "rev-%d", &n)
		return n
	}
	at, moved := 0, time.Now()
	for at != number(want) {
		require.Less(t, time.Since(moved), patience, "the cursor stays at revision %d instead of %s; %v", at, want, z)
		time.Sleep(10 * time.Millisecond)
		now := number(patiently(t, m.store.Cursor))
		require.GreaterOrEqual(t, now, at, "the cursor has gone back; %v", z)
		if now > at {
			at, moved = now, time.Now()
		}
	}
}

// startWriters starts the synchronisers of this process, and the foreign writer if there is one.
func (m *model) startWriters(t *testing.T, z hazards) (stopAll func()) {
	t.Helper()
	var stops []func()
	for range z.writers {
		delayed := &observed{store: m.target.mustOpen(t)}
		delayed.trouble(slow(rand.New(rand.NewPCG(m.random.Uint64(), 0)), z.delay))
		s, err := newLoopback(m.uri, delayed)
		require.NoError(t, err)
		s.Start(t.Context())
		stops = append(stops, func() { stop(s) })
	}
	if z.foreign {
		delayed := &observed{store: m.target.mustOpen(t)}
		delayed.trouble(slow(rand.New(rand.NewPCG(m.random.Uint64(), 0)), z.delay))
		server := httptest.NewServer(m.service)
		foreign := &foreignWriter{server.Client(), server.URL, delayed}
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { foreign.run(ctx) })
		stops = append(stops, func() {
			cancel()
			done.Wait()
			server.Close()
		})
	}
	return func() {
		for _, end := range stops {
			end()
		}
	}
}
