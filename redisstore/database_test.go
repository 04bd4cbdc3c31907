package redisstore

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// soon is what a call may take to notice that it is not wanted any more, on a busy machine.
const soon = 2 * time.Second

// mutedStores makes a store with a client of its own and one with a client of the caller's, on a server that accepts
// connections and never answers. The caller's client is set so that nothing but contexts ends a call.
func mutedStores(t *testing.T) map[string]*Store {
	t.Helper()
	url := muteServer(t)
	own, err := Open(t.Context(), url, nil)
	require.NoError(t, err)
	settings, err := redis.ParseURL(url)
	require.NoError(t, err)
	settings.ReadTimeout, settings.WriteTimeout, settings.ContextTimeoutEnabled = -1, -1, true
	client := redis.NewClient(settings)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	callers, err := New(t.Context(), client, nil)
	require.NoError(t, err)
	for _, store := range []*Store{own, callers} {
		t.Cleanup(func() { require.NoError(t, store.Close()) })
	}
	return map[string]*Store{"own client": own, "caller's client": callers}
}

// calls are all methods that take a context.
func calls(store *Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Get":    func(ctx context.Context) error { _, _, err := store.Get(ctx, core.Flags, "k"); return err },
		"GetAll": func(ctx context.Context) error { _, err := store.GetAll(ctx, core.Flags); return err },
		"Upsert": func(ctx context.Context) error {
			_, err := store.Upsert(ctx, core.Flags, "k", item("k", 1))
			return err
		},
		"Init":              func(ctx context.Context) error { return store.Init(ctx, []core.SerializedCollection{flags(1, 1, 9)}) },
		"Init of nothing":   func(ctx context.Context) error { return store.Init(ctx, nil) },
		"GetItems":          func(ctx context.Context) error { _, err := store.GetItems(ctx, core.Flags, []string{"k"}); return err },
		"Initialized":       func(ctx context.Context) error { _, err := store.Initialized(ctx); return err },
		"CheckAvailability": func(ctx context.Context) error { return store.CheckAvailability(ctx) },
	}
}

// A server that never answers costs what the context allows and no more, and the error is the context's.
func TestStore_MuteServer_ContextEnds(t *testing.T) {
	for name, store := range mutedStores(t) {
		for method, run := range calls(store) {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			require.Equal(t, context.DeadlineExceeded, run(ctx), "%s of %s", method, name)
			require.Equal(t, context.DeadlineExceeded, run(ctx), "%s of %s with a context that has ended", method, name)
			cancel()
			require.Less(t, time.Since(begin), soon, "%s of %s", method, name)
		}
	}
}

// Close ends calls in flight that have a client of the store's own, and a second Close does nothing.
func TestStore_Close_InterruptsCalls(t *testing.T) {
	store := mutedStores(t)["own client"]
	outcomes := map[string]chan error{}
	for method, run := range calls(store) {
		outcome := make(chan error, 1)
		outcomes[method] = outcome
		go func() { outcome <- run(context.Background()) }()
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
	for method, run := range calls(store) {
		require.ErrorIs(t, run(t.Context()), core.ErrClosed, method)
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
