package redisstore

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// Promise 9 of the wrapper, measured: from the write of one process to the cached read of another.
func TestStore_Watch_ChangeIsVisibleWithin100msAtTheMedian(t *testing.T) {
	prefix, client := storetest.Prefix(), bareClient(t)
	other := openStore(t, Options{Prefix: prefix})
	require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{storetest.Flags(10, 1, 1000)}))
	store, err := Open(t.Context(), containers.Redis(t), &Options{Prefix: prefix})
	require.NoError(t, err)
	wrapper, err := caching.NewCachingStoreWrapper(store, &caching.Options{Mode: caching.TTL(time.Hour)})
	require.NoError(t, err)
	defer func() { require.NoError(t, wrapper.Close()) }()
	const key = "flag-00000"
	read := func() int {
		item, _, err := wrapper.Get(t.Context(), core.Flags, key)
		require.NoError(t, err)
		return item.Version()
	}
	version := 1
	require.Equal(t, version, read())
	for writer, write := range map[string]func(){
		"cleat": func() { upsert(t, other, core.Flags, key, version) },
		"another SDK": func() {
			require.NoError(t, client.HSet(t.Context(), prefix+":features", key, storetest.Item(key, version).Data).Err())
		},
	} {
		var delays []time.Duration
		for range 101 {
			version++
			write()
			written := time.Now()
			require.Eventually(t, func() bool { return read() == version }, 5*soon, 100*time.Microsecond)
			delays = append(delays, time.Since(written))
		}
		slices.Sort(delays)
		t.Logf("%s: median %v, p99 %v", writer, delays[len(delays)/2], delays[len(delays)-2])
		require.Less(t, delays[len(delays)/2], 100*time.Millisecond, writer)
	}
}

// wholeReads is a hook that counts how often whole kinds are read.
type wholeReads struct {
	countingHook
	n atomic.Int64
}

func (h *wholeReads) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "hgetall" {
			h.n.Add(1)
		}
		return next(ctx, cmd)
	}
}

// Upserts by cleat cost those who watch the reading of an item each, and not of the kind, unless a busy machine loses the
// connection.
func TestStore_Watch_Upserts_DoNotReadWholeKinds(t *testing.T) {
	prefix, client, reads := storetest.Prefix(), bareClient(t), &wholeReads{}
	client.AddHook(reads)
	other := openStore(t, Options{Prefix: prefix})
	require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{storetest.Flags(10_000, 1, 200)}))
	store, err := New(t.Context(), client, &Options{Prefix: prefix})
	require.NoError(t, err)
	wrapper, err := caching.NewCachingStoreWrapper(store, &caching.Options{Mode: caching.Forever()})
	require.NoError(t, err)
	defer func() { require.NoError(t, wrapper.Close()) }()
	version := func(key string) int {
		all, err := wrapper.All(t.Context(), core.Flags)
		require.NoError(t, err)
		return all[key].Version()
	}
	seen := func(key string, n int) {
		require.Eventually(t, func() bool { return version(key) == n }, 10*soon, time.Millisecond, "%s %d", key, n)
	}
	next := 2
	require.Eventually(t, func() bool { // until all that the watch consists of has begun, and what that made the wrapper read
		n := reads.n.Load()
		upsert(t, other, core.Flags, "flag-00001", next)
		seen("flag-00001", next)
		next++
		return reads.n.Load() == n
	}, 10*soon, soon/2)
	before := reads.n.Load()
	const last, delayed = 30, 4
	for n := 2; n <= last; n++ {
		upsert(t, other, core.Flags, "flag-00000", n)
		upsert(t, other, core.Flags, "flag-09999", n)
		seen("flag-00000", n)
	}
	seen("flag-09999", last)
	require.LessOrEqual(t, reads.n.Load()-before, int64(delayed))
}

// BenchmarkStore_Watch measures the way of a change from an upsert's beginning to the report in another store.
func BenchmarkStore_Watch(b *testing.B) {
	prefix := storetest.Prefix()
	store, other := openStore(b, Options{Prefix: prefix}), openStore(b, Options{Prefix: prefix})
	ctx, cancel := context.WithCancel(b.Context())
	changes, ended := make(chan core.Change), make(chan error, 1)
	go func() { ended <- store.Watch(ctx, func(c core.Change) { changes <- c }) }()
	require.Equal(b, core.Change{}, <-changes)
	version := 0
	for b.Loop() {
		version++
		upsert(b, other, core.Flags, "k", version)
		for (<-changes).Key == "" {
		}
	}
	cancel()
	for running := true; running; {
		select {
		case <-changes:
		case err := <-ended:
			require.ErrorIs(b, err, context.Canceled)
			running = false
		}
	}
}
