package synchronizer_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
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

// A stream of many versions needs no poll: the cursor follows it on every real database.
func TestSynchronizer_EveryStore_StreamOfManyVersions_IsNotInterrupted(t *testing.T) {
	for name, prepare := range targets() {
		t.Run(name, func(t *testing.T) {
			service := mockbigsegments.New(t)
			server := httptest.NewServer(service)
			defer server.Close()
			defer service.Close() // ends the streams that the server would wait for
			store := &observed{store: prepare(t).mustOpen(t)}
			settings := service.Settings()
			settings.HTTPClient = server.Client()
			settings.Endpoints = core.ServiceEndpoints{Streaming: server.URL, Polling: server.URL}
			s, err := synchronizer.New(settings, store, &synchronizer.Options{RefreshInterval: time.Hour})
			require.NoError(t, err)
			s.Start(t.Context())
			defer stop(s)
			require.Eventually(t, func() bool { return s.Status().State == core.DataSourceValid }, patience, time.Millisecond)
			polls := len(service.Requests(mockbigsegments.PollPath))
			var before string
			for i := range 10 {
				before = service.Publish(includes("a.g1", strconv.Itoa(i)), includes("b.g1", strconv.Itoa(i)))
			}
			service.Publish(includes("c.g1", "last"))
			require.Eventually(t, func() bool {
				cursor, err := store.Cursor(t.Context())
				return err == nil && cursor == before || s.Status().LastError.Kind != ""
			}, patience, time.Millisecond)
			require.Zero(t, s.Status().LastError)
			require.Len(t, service.Requests(mockbigsegments.PollPath), polls)
			requireMember(t, store, "9", core.NewBigSegmentMembership([]string{"a.g1", "b.g1"}, nil))
		})
	}
}
