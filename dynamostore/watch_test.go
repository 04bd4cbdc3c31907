package dynamostore

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// patience is how long a test waits for what must happen on a busy machine.
const patience = 20 * time.Second

// startWatch watches until the test ends, and waits until the watch has begun.
func startWatch(t *testing.T, store *Store) <-chan core.Change {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	const plenty = 10_000
	changes, ended := make(chan core.Change, plenty), make(chan error, 1)
	go func() { ended <- store.Watch(ctx, func(c core.Change) { changes <- c }) }()
	t.Cleanup(func() {
		cancel()
		require.Equal(t, context.Canceled, <-ended)
	})
	require.Equal(t, core.Change{}, nextChange(t, changes), "the watch has begun")
	return changes
}

func nextChange(t *testing.T, changes <-chan core.Change) core.Change {
	t.Helper()
	select {
	case change := <-changes:
		return change
	case <-time.After(patience):
		require.FailNow(t, "no change was reported")
		return core.Change{}
	}
}

func requireNoChange(t *testing.T, changes <-chan core.Change, during time.Duration) {
	t.Helper()
	select {
	case change := <-changes:
		require.Fail(t, "nothing should be reported", "%+v", change)
	case <-time.After(during):
	}
}

// What is written, deleted and replaced under the prefix is told, by kind and key, and nothing else is.
func TestStore_Watch_TellsWhatChanged(t *testing.T) {
	client, table := bareClient(t), freshStreamingTable(t)
	for _, prefix := range []string{"", "p"} {
		store := openStore(t, table, Options{Prefix: prefix})
		changes := startWatch(t, store)
		requireChanges := func(what string, want ...core.Change) {
			t.Helper()
			var got []core.Change
			for range want {
				got = append(got, nextChange(t, changes))
			}
			require.ElementsMatch(t, want, got, what)
		}
		other := openStore(t, table, Options{Prefix: prefix})
		upsert(t, other, "a", item("a", 1))
		requireChanges("upsert", core.Change{Kind: core.Flags, Key: "a"})

		segments := openBigSegments(t, table, prefix).(*BigSegments)
		require.NoError(t, segments.SetLastUpToDate(t.Context(), 1))
		for _, call := range bigCalls(segments) {
			require.NoError(t, call(t.Context()))
		}
		require.NoError(t, segments.Close())
		for _, neighbour := range []string{"p2", prefix + ":p", "q"} {
			upsert(t, openStore(t, table, Options{Prefix: neighbour}), "neighbour", item("neighbour", 1))
		}
		putRaw(t, client, table, keys{prefix}.namespace("no kind"), "x", nil)

		require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{
			{Kind: core.Segments, Items: []core.KeyedSerializedItem{{Key: "s", Item: item("s", 1)}}},
			{Kind: "others", Items: []core.KeyedSerializedItem{{Key: "o", Item: item("o", 1)}}},
		}))
		requireChanges("Init, which deletes too", core.Change{Kind: core.Segments, Key: "s"},
			core.Change{Kind: "others", Key: "o"}, core.Change{Kind: core.Flags, Key: "a"})
		upsert(t, store, "last", item("last", 1))
		requireChanges("the last", core.Change{Kind: core.Flags, Key: "last"})
	}
}

// A table that cannot be watched says so at once, and why.
func TestStore_Watch_Unusable_IsRefused(t *testing.T) {
	store := openStore(t, freshTable(t), Options{})
	err := store.Watch(t.Context(), func(core.Change) { t.Error("there is nothing to tell") })
	require.ErrorIs(t, err, core.ErrIncompatible)
	require.ErrorContains(t, err, "it has no stream")
	require.ErrorContains(t, err, "KEYS_ONLY")
	require.ErrorIs(t, store.Watch(nil, func(core.Change) {}), core.ErrInvalid)
	require.ErrorIs(t, store.Watch(t.Context(), nil), core.ErrInvalid)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, context.Canceled, store.Watch(ended, func(core.Change) {}))

	foreign := openStore(t, foreignTable(t, bareClient(t), "id"), Options{})
	err = foreign.Watch(t.Context(), func(core.Change) {})
	require.ErrorIs(t, err, core.ErrIncompatible)
	require.ErrorContains(t, err, "its keys must be")

	require.NoError(t, store.Close())
	require.ErrorIs(t, store.Watch(t.Context(), func(core.Change) {}), core.ErrClosed)
}

// Without one of the permissions that the documentation names, a table cannot be watched.
func TestStore_Watch_WithoutPermission_IsRefused(t *testing.T) {
	client, rec := recordingClient(t, nil)
	store := newStore(t, client, freshStreamingTable(t), Options{})
	for _, operation := range []string{"DescribeTable", "DescribeStream", "GetShardIterator", "GetRecords"} {
		rec.intercept = always(func() *http.Response {
			return failure(http.StatusBadRequest, "AccessDeniedException", "not authorized")
		}, operation)
		err := store.Watch(t.Context(), func(core.Change) { t.Error("there is nothing to tell") })
		require.ErrorIs(t, err, core.ErrUnavailable, operation)
		require.ErrorContains(t, err, "grant the credentials the permissions", operation)
	}
}

// A table that is not there yet is waited for.
func TestStore_Watch_MissingTable_IsAwaited(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshStreamingTable(t)
	rec.intercept = func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.operation == "DescribeTable" && r.number == 1 {
			return failure(http.StatusBadRequest, codeNotFound, "Requested resource not found"), nil
		}
		return nil, nil //nolint:nilnil // passes the request on
	}
	store := newStore(t, client, table, quietly(Options{}))
	changes := startWatch(t, store)
	upsert(t, store, "a", item("a", 1))
	require.Equal(t, core.Change{Kind: core.Flags, Key: "a"}, nextChange(t, changes))
}

// The interval is kept: an idle stream is not asked in between.
func TestStore_Watch_Interval_IsKept(t *testing.T) {
	client, rec := recordingClient(t, nil)
	store := newStore(t, client, freshStreamingTable(t), Options{WatchInterval: time.Hour})
	changes := startWatch(t, store)
	upsert(t, store, "a", item("a", 1))
	requireNoChange(t, changes, 200*time.Millisecond)
	require.Equal(t, 1, countOf(rec.take(), "GetRecords"))
}

// Several watches of one store, and of several, do not disturb each other.
func TestStore_Watch_Several(t *testing.T) {
	table := freshStreamingTable(t)
	store, other := openStore(t, table, Options{}), openStore(t, table, Options{})
	watches := []<-chan core.Change{startWatch(t, store), startWatch(t, store), startWatch(t, other)}
	upsert(t, other, "a", item("a", 1))
	for _, changes := range watches {
		require.Equal(t, core.Change{Kind: core.Flags, Key: "a"}, nextChange(t, changes))
	}
}

// cached makes a wrapper whose items hardly ever expire.
func cached(t *testing.T, store *Store, ttl time.Duration) *caching.CachingStoreWrapper {
	t.Helper()
	wrapper, err := caching.NewCachingStoreWrapper(store, &caching.Options{Mode: caching.TTL(ttl), Logger: quietly(Options{}).Logger})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, wrapper.Close()) })
	return wrapper
}

func readVersion(t *testing.T, wrapper *caching.CachingStoreWrapper) int {
	t.Helper()
	item, found, err := wrapper.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.True(t, found)
	return item.Version()
}

// Promise 9 of the wrapper, measured: from the write of one process to the cached read of another. The limit leaves room for
// a busy machine.
func TestStore_Watch_ChangeIsVisibleSoon(t *testing.T) {
	const n, limit = 50, 250 * time.Millisecond
	table := freshStreamingTable(t)
	other := openStore(t, table, Options{})
	upsert(t, other, "a", item("a", 1))
	store, err := Open(t.Context(), table, forOpen(t, Options{}))
	require.NoError(t, err)
	wrapper := cached(t, store, time.Hour)
	told := make(chan core.Change, 10*n)
	defer wrapper.AddChangeListener(func(c core.Change) { told <- c })()
	require.Equal(t, 1, readVersion(t, wrapper))
	delays := make([]time.Duration, 0, n)
	for version := 2; version < n+2; version++ {
		upsert(t, other, "a", item("a", version))
		written := time.Now()
		require.Eventually(t, func() bool { return readVersion(t, wrapper) == version }, patience, time.Millisecond)
		delays = append(delays, time.Since(written))
	}
	require.Equal(t, core.Change{Kind: core.Flags, Key: "a"}, nextChange(t, told))
	slices.Sort(delays)
	t.Logf("median %v, 99th percentile %v", delays[n/2], delays[n*99/100])
	require.Less(t, delays[n/2], limit)
}

// Without a stream, the wrapper goes on by time to live.
func TestStore_Watch_NoStream_WrapperExpiresItems(t *testing.T) {
	table := freshTable(t)
	other := openStore(t, table, Options{})
	upsert(t, other, "a", item("a", 1))
	store, err := Open(t.Context(), table, forOpen(t, Options{}))
	require.NoError(t, err)
	wrapper := cached(t, store, 50*time.Millisecond)
	require.Equal(t, 1, readVersion(t, wrapper))
	upsert(t, other, "a", item("a", 2))
	require.Eventually(t, func() bool { return readVersion(t, wrapper) == 2 }, patience, time.Millisecond)
}
