package consulstore

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

// startWatch watches until the test ends, and waits until the watch has begun.
func startWatch(t *testing.T, store *Store, touch func(n int)) chan core.Change {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan core.Change, 1000), make(chan error, 1)
	go func() { ended <- store.Watch(ctx, func(c core.Change) { changes <- c }) }()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
	n := 0
	require.Eventually(t, func() bool {
		n++
		touch(n)
		return awaitChange(changes, 50*time.Millisecond)
	}, soon*5, time.Millisecond)
	for awaitChange(changes, 100*time.Millisecond) {
	}
	return changes
}

func awaitChange(changes chan core.Change, patience time.Duration) bool {
	select {
	case <-changes:
		return true
	case <-time.After(patience):
		return false
	}
}

// A change by another process is told within 100 ms at the median; without one, nothing is, and the server is not asked again
// and again.
func TestStore_Watch_IsPromptAndQuiet(t *testing.T) {
	prefix, version := freshPrefix(), 0
	store, requests := recordedStore(t, &Options{Prefix: prefix})
	other := openStore(t, Options{Prefix: prefix})
	touch := func(int) {
		version++
		_, err := other.Upsert(t.Context(), core.Flags, "k", item("k", version))
		require.NoError(t, err)
	}
	changes := startWatch(t, store, touch)
	var delays []time.Duration
	for range 21 {
		begin := time.Now()
		touch(0)
		require.True(t, awaitChange(changes, soon))
		delays = append(delays, time.Since(begin))
	}
	slices.Sort(delays)
	t.Logf("median %v, longest %v", delays[10], delays[20])
	require.Less(t, delays[10], 100*time.Millisecond)

	for awaitChange(changes, 100*time.Millisecond) {
	}
	requests.take()
	neighbour := openStore(t, Options{Prefix: prefix + "2"})
	require.NoError(t, neighbour.Init(t.Context(), []core.SerializedCollection{flags(3, 1, 100)}))
	require.False(t, awaitChange(changes, 300*time.Millisecond), "a neighbour's change is not one")
	require.LessOrEqual(t, len(requests.take()), 1)
}

// A connection that is lost is restored, and followed by a change.
func TestStore_Watch_ConnectionLost_IsRestored(t *testing.T) {
	p, prefix, version := startProxy(t), freshPrefix(), 0
	other := openStore(t, Options{Prefix: prefix})
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	store := openStore(t, Options{Address: p.Listen, Prefix: prefix, Logger: quiet})
	changes := startWatch(t, store, func(int) {
		version++
		_, err := other.Upsert(t.Context(), core.Flags, "k", item("k", version))
		require.NoError(t, err)
	})
	p.Stop()
	_, err := other.Upsert(t.Context(), core.Flags, "k", item("k", 1000))
	require.NoError(t, err)
	require.False(t, awaitChange(changes, 200*time.Millisecond))
	require.NoError(t, p.Start())
	require.True(t, awaitChange(changes, soon*5))
}

// What cannot be watched is said at once.
func TestStore_Watch_Unusable_IsRefused(t *testing.T) {
	store := openStore(t, Options{Prefix: "new\nline"})
	require.ErrorIs(t, store.Watch(t.Context(), func(core.Change) {}), core.ErrInvalid)
	require.ErrorIs(t, openStore(t, Options{}).Watch(t.Context(), nil), core.ErrInvalid)
	without, err := Open(t.Context(), &Options{Address: containers.Consul(t), NoPrefix: true})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.Equal(t, context.DeadlineExceeded, without.Watch(ctx, func(core.Change) {}))
	require.NoError(t, without.Close())
}
