package redisstore

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// soon is what a call may take to notice that it is not wanted any more, on a busy machine.
const soon = 2 * time.Second

// Close ends calls in flight that have a client of the store's own, and a second Close does nothing.
func TestStore_Close_InterruptsCalls(t *testing.T) {
	store := openAt(t, "redis://"+storetest.Mute(t), Options{})
	outcomes := map[string]chan error{}
	for _, call := range storetest.Calls(store) {
		outcome := make(chan error, 1)
		outcomes[call.Name] = outcome
		go func() { outcome <- call.Run(context.Background()) }()
	}
	require.Eventually(t, func() bool { // until there are calls in flight
		return store.client.PoolStats().TotalConns > 0
	}, 10*time.Second, time.Millisecond)
	begin := time.Now()
	require.NoError(t, store.Close())
	require.NoError(t, store.Close())
	for method, outcome := range outcomes {
		require.ErrorIs(t, <-outcome, core.ErrClosed, method)
	}
	require.Less(t, time.Since(begin), soon)
	for _, call := range storetest.Calls(store) {
		require.ErrorIs(t, call.Run(t.Context()), core.ErrClosed, call.Name)
	}
}

// Close leaves a client of the caller's open.
func TestStore_Close_LeavesTheCallersClientOpen(t *testing.T) {
	client := bareClient(t)
	store, err := New(t.Context(), client, nil)
	require.NoError(t, err)
	segments, err := NewBigSegments(t.Context(), client, nil)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.NoError(t, segments.Close())
	require.NoError(t, client.Ping(t.Context()).Err())
	_, err = segments.Metadata(t.Context())
	require.ErrorIs(t, err, core.ErrClosed)
	_, err = segments.Membership(t.Context(), "h")
	require.ErrorIs(t, err, core.ErrClosed)
}

// A client that its owner closed too early is an outage, not a closed store.
func TestStore_CallersClientClosed_IsUnavailable(t *testing.T) {
	client := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	store, err := New(t.Context(), client, nil)
	require.NoError(t, err)
	require.NoError(t, client.Close())
	require.ErrorIs(t, store.CheckAvailability(t.Context()), core.ErrUnavailable)
	require.NoError(t, store.Close())
}
