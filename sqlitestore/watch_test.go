package sqlitestore_test

import (
	"context"
	"fmt"
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
	requireChange(t, changes, core.Change{}) // the watch has begun
	return changes
}

func requireChange(t *testing.T, changes <-chan core.Change, want core.Change) {
	t.Helper()
	select {
	case change := <-changes:
		require.Equal(t, want, change)
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
	requireChange(t, changes, core.Change{Kind: core.Flags, Key: "a"})
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
	requireChange(t, changes, core.Change{Kind: core.Flags, Key: "a"})
	item, _, err := store.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.Equal(t, 2, item.Version)
}

// What an Init changes is named too, unless it is much.
func TestStore_Watch_Init(t *testing.T) {
	path := tempPath(t)
	store, other := openStore(t, path, nil), openStore(t, path, nil)
	fill := func(version int, keys ...string) {
		items := make([]core.KeyedSerializedItem, len(keys))
		for i, key := range keys {
			data := fmt.Appendf(nil, `{"key":%q,"version":%d}`, key, version)
			items[i] = core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Version: version, Data: data}}
		}
		require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: items}}))
	}
	changes := watchStore(t, store)
	fill(1, "a", "b")
	requireChange(t, changes, core.Change{}) // it is initialised now
	fill(1, "a")
	requireChange(t, changes, core.Change{Kind: core.Flags, Key: "b"})
	many := make([]string, 200)
	for i := range many {
		many[i] = fmt.Sprint("flag-", i)
	}
	fill(2, many...)
	requireChange(t, changes, core.Change{})
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
