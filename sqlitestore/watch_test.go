package sqlitestore_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

// watchStore watches until the end of the test and returns what is reported after the watch has begun.
func watchStore(t *testing.T, store *sqlitestore.Store) <-chan core.Change {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan core.Change, 100), make(chan error, 1)
	go func() { ended <- store.Watch(ctx, func(c core.Change) { changes <- c }) }()
	t.Cleanup(func() {
		cancel()
		require.Equal(t, context.Canceled, <-ended)
	})
	requireChange(t, changes) // the watch has begun
	return changes
}

func requireChange(t *testing.T, changes <-chan core.Change) {
	t.Helper()
	select {
	case change := <-changes:
		require.Equal(t, core.Change{}, change)
	case <-time.After(10 * time.Second):
		require.Fail(t, "no change was reported")
	}
}

func TestStore_Watch_ReportsOthersAndNotItself(t *testing.T) {
	path := tempPath(t)
	store, other := openStore(t, path, nil), openStore(t, path, nil)
	changes := watchStore(t, store)
	for n := range 20 {
		upsert(t, store, "a", n+1)
	}
	upsert(t, other, "a", 100)
	requireChange(t, changes)
	const several = 5 * sqlitestore.DefaultWatchInterval
	select {
	case <-changes:
		require.Fail(t, "what the store wrote itself was reported")
	case <-time.After(several):
	}
}

func TestStore_Watch_ReadOnly(t *testing.T) {
	path := tempPath(t)
	other := openStore(t, path, nil)
	upsert(t, other, "a", 1)
	store := openStore(t, path, &sqlitestore.Options{ReadOnly: true})
	changes := watchStore(t, store)
	upsert(t, other, "a", 2)
	requireChange(t, changes)
	item, _, err := store.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.Equal(t, 2, item.Version)
}

func TestStore_Watch_InvalidAndClosed(t *testing.T) {
	store := openStore(t, tempPath(t), nil)
	require.ErrorIs(t, store.Watch(nil, func(core.Change) {}), core.ErrInvalid)
	require.NoError(t, store.Close())
	require.ErrorIs(t, store.Watch(t.Context(), func(core.Change) {}), core.ErrClosed)
}

// Promise 9 of the wrapper, measured: from the commit of one process to the cached read of another.
func TestStore_Watch_ChangeIsVisibleWithin100msAtTheMedian(t *testing.T) {
	path := tempPath(t)
	other := openStore(t, path, nil)
	upsert(t, other, "a", 1)
	store, err := sqlitestore.New(t.Context(), path, nil)
	require.NoError(t, err)
	wrapper, err := caching.NewCachingStoreWrapper(store, &caching.Options{Mode: caching.TTL(time.Hour)})
	require.NoError(t, err)
	defer func() { require.NoError(t, wrapper.Close()) }()
	read := func() int {
		item, found, err := wrapper.Get(t.Context(), core.Flags, "a")
		require.NoError(t, err)
		require.True(t, found)
		return item.Version()
	}
	require.Equal(t, 1, read())
	var delays []time.Duration
	for n := 2; n <= 22; n++ {
		upsert(t, other, "a", n)
		committed := time.Now()
		require.Eventually(t, func() bool { return read() == n }, 10*time.Second, time.Millisecond)
		delays = append(delays, time.Since(committed))
	}
	slices.Sort(delays)
	t.Logf("median %v, worst %v", delays[len(delays)/2], delays[len(delays)-1])
	require.Less(t, delays[len(delays)/2], 100*time.Millisecond)
}
