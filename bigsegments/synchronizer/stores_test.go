package synchronizer_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/mockbigsegments"
)

// What synchronisers do that are interrupted again and again holds on every real database.
func TestSynchronizer_EveryStore(t *testing.T) {
	for name, prepare := range targets() {
		t.Run(name, func(t *testing.T) {
			interruptAgainAndAgain(t, &observed{store: prepare(t).mustOpen(t)})
		})
	}
}

func interruptAgainAndAgain(t *testing.T, s *observed) {
	t.Helper()
	service := mockbigsegments.New(t)
	server := httptest.NewServer(service)
	defer server.Close()
	defer service.Close() // ends the streams that the server would wait for
	h := newHistory(t, uint64(time.Now().UnixNano()))
	last := service.Publish(append(h.next(), h.next()...)...) // several patches that follow no version
	for range 9 {
		last = service.Publish(h.next()...)
	}
	for interruption := range 6 {
		var calls atomic.Int64
		interrupted := make(chan struct{}, 1)
		s.trouble(func(_ context.Context, operation string) error {
			if operation == "ApplyPatch" && calls.Add(1) > int64(interruption) {
				select {
				case interrupted <- struct{}{}:
				default:
				}
				return errors.New("interrupted")
			}
			return nil
		})
		killed, err := newLoopback(server.URL, s)
		require.NoError(t, err)
		killed.Start(t.Context())
		select {
		case <-interrupted:
		case <-time.After(patience):
			require.Fail(t, "nothing was applied")
		}
		stop(killed)
	}
	s.trouble(nil)
	survivor, err := newLoopback(server.URL, s)
	require.NoError(t, err)
	survivor.Start(t.Context())
	defer stop(survivor)
	require.Eventually(t, func() bool {
		cursor, err := s.Cursor(t.Context())
		return err == nil && cursor == last && len(s.marked()) > 0
	}, patience, 10*time.Millisecond)
	h.require(t, s)
}
