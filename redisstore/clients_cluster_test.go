package redisstore

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// openCluster opens a store of its own on the shared Cluster.
func openCluster(t testing.TB, opts Options) *Store {
	t.Helper()
	store, err := Open(t.Context(), containers.RedisCluster(t), &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// oneNode is a URL with the first node of another one.
func oneNode(url string) string {
	first, _, _ := strings.Cut(url, ",")
	return first
}

// Keys are the same whether a URL lists one node or all, and nothing but them is left.
func TestOpen_AnyNumberOfNodes_SameKeys(t *testing.T) {
	ctx, client, all := t.Context(), clusterClient(t), containers.RedisCluster(t)
	for _, prefix := range []string{taggedPrefix(), "a" + taggedPrefix()} {
		for _, url := range []string{oneNode(all), all} {
			store, err := Open(ctx, url, &Options{Prefix: prefix})
			require.NoError(t, err)
			require.NoError(t, store.Init(ctx, []core.SerializedCollection{
				{Kind: core.Segments, Items: []core.KeyedSerializedItem{{Key: "s", Item: storetest.Item("s", 1)}}}, storetest.Flags(2, 1, 60),
			}))
			_, err = store.Upsert(ctx, core.Flags, "flag-00000", storetest.Item("flag-00000", 2))
			require.NoError(t, err)
			require.NoError(t, store.Close())
			require.Equal(t, string(storetest.Item("s", 1).Data), client.HGet(ctx, prefix+":segments", "s").Val())
			require.Equal(t, string(storetest.Item("flag-00000", 2).Data), client.HGet(ctx, prefix+":features", "flag-00000").Val())
			require.EqualValues(t, 1, client.Exists(ctx, prefix+":$inited").Val())
			require.Len(t, clusterKeys(t, client, prefix), 3)
			require.EqualValues(t, -1, client.TTL(ctx, prefix+":features").Val().Nanoseconds())
		}
	}
}

// clusterKeys lists all keys that begin with a prefix.
func clusterKeys(t *testing.T, client *redis.ClusterClient, prefix string) (keys []string) {
	t.Helper()
	found := make(chan []string, 100)
	require.NoError(t, client.ForEachMaster(context.Background(), func(ctx context.Context, node *redis.Client) error {
		keys, err := node.Keys(ctx, strings.NewReplacer("[", `\[`).Replace(prefix)+"*").Result()
		found <- keys
		return err
	}))
	close(found)
	for some := range found {
		keys = append(keys, some...)
	}
	return keys
}

// Under a prefix without a hash tag, what others wrote is read, one key at a time, and every write is refused with advice.
func TestStore_ClusterWithoutHashTag_ReadsAndRefusesWrites(t *testing.T) {
	ctx, client, prefix := t.Context(), clusterClient(t), storetest.Prefix()
	callers, err := New(ctx, client, &Options{Prefix: prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, callers.Close()) })
	for _, store := range []*Store{callers, openCluster(t, Options{Prefix: prefix})} {
		require.NoError(t, flush(ctx, client))
		initialized, err := store.Initialized(ctx)
		require.NoError(t, err)
		require.False(t, initialized)
		_, upsertErr := store.Upsert(ctx, core.Flags, "f", storetest.Item("f", 1))
		_, changeErr := store.ApplyChangeSet(ctx, []core.KindAndKeyedItem{{Kind: core.Flags, Key: "f", Item: storetest.Item("f", 1)}})
		for _, err := range []error{upsertErr, changeErr, store.Init(ctx, nil)} {
			require.ErrorIs(t, err, core.ErrReadOnly)
			require.ErrorContains(t, err, `"{`+prefix+`}"`)
		}
		require.Empty(t, clusterKeys(t, client, prefix))

		w := watchStore(t, store)
		require.NoError(t, client.HSet(ctx, prefix+":features", "f", storetest.Item("f", 1).Data, "g", storetest.Item("g", 2).Data).Err())
		w.want(flagChange(""))
		require.NoError(t, client.HSet(ctx, prefix+":segments", "s", storetest.Item("s", 3).Data).Err())
		w.want(core.Change{Kind: core.Segments})
		require.NoError(t, client.Set(ctx, prefix+":$inited", "", 0).Err())
		w.want(core.Change{})
		initialized, err = store.Initialized(ctx)
		require.NoError(t, err)
		require.True(t, initialized)
		require.Equal(t, map[string]int{"f": 1, "g": 2}, versionsOf(t, store, core.Flags))
		require.Equal(t, map[string]int{"s": 3}, versionsOf(t, store, core.Segments))
		one, found, err := store.Get(ctx, core.Segments, "s")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, storetest.Item("s", 3).Data, one.Data)
		items, err := store.GetItems(ctx, core.Flags, []string{"g", "missing"})
		require.NoError(t, err)
		require.Equal(t, []core.KeyedSerializedItem{{Key: "g", Item: core.SerializedItem{Data: storetest.Item("g", 2).Data}}}, items)
	}
}

// The wrapper says of such a store what is true: it can be read, and not written.
func TestStore_ClusterWithoutHashTag_WrapperIsReadOnly(t *testing.T) {
	ctx, client, prefix := t.Context(), clusterClient(t), storetest.Prefix()
	require.NoError(t, client.HSet(ctx, prefix+":features", "f", storetest.Item("f", 1).Data).Err())
	wrapper, err := caching.NewCachingStoreWrapper(openCluster(t, Options{Prefix: prefix}), &caching.Options{Logger: quietLogger()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, wrapper.Close()) })
	f, found, err := wrapper.Get(ctx, core.Flags, "f")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, 1, f.Version())
	written, err := core.ParseItem(storetest.Item("f", 2).Data)
	require.NoError(t, err)
	_, err = wrapper.Upsert(ctx, core.Flags, "f", written)
	require.ErrorIs(t, err, core.ErrReadOnly)
	require.ErrorContains(t, err, "has no hash tag")
}

// A redis:// URL of a Cluster's node is an error that says what to write instead.
func TestOpen_SingleServerURLOfClusterNode_SaysWhatToUse(t *testing.T) {
	ctx := t.Context()
	url := "redis" + strings.TrimPrefix(oneNode(containers.RedisCluster(t)), "redis+cluster")
	asked := 0
	for _, prefix := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		store, err := Open(ctx, url, &Options{Prefix: prefix})
		require.NoError(t, err)
		_, _, getErr := store.Get(ctx, core.Flags, "k")
		_, upsertErr := store.Upsert(ctx, core.Segments, "k", storetest.Item("k", 1))
		for _, err := range []error{getErr, upsertErr, store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 1, 60)})} {
			if err != nil {
				require.ErrorIs(t, err, core.ErrUnavailable)
				require.ErrorContains(t, err, "use a redis+cluster:// URL")
				var cause redis.Error
				require.ErrorAs(t, err, &cause)
				asked++
			}
		}
		require.NoError(t, store.Close())
	}
	require.Greater(t, asked, 8, "every Init names keys of several nodes")
}

// An upsert is one round trip to one node, once the Cluster is known.
func TestStore_Cluster_Upsert_IsOneRoundTrip(t *testing.T) {
	ctx, client := t.Context(), clusterClient(t)
	store, err := New(ctx, client, &Options{Prefix: taggedPrefix()})
	require.NoError(t, err)
	_, err = store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	counting := &countingHook{}
	client.AddHook(counting)
	result, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 2))
	require.NoError(t, err)
	require.True(t, result.Written)
	require.Equal(t, []string{"evalsha"}, counting.commands)
	require.NoError(t, store.Close())
}

// A membership is read from both nodes at once.
func TestBigSegments_Cluster_MembershipIsOneExchange(t *testing.T) {
	ctx, client := t.Context(), clusterClient(t)
	segments, err := NewBigSegments(ctx, client, &Options{Prefix: storetest.Prefix()})
	require.NoError(t, err)
	applied, err := segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"h"}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	counting := &countingHook{}
	client.AddHook(counting)
	membership, err := segments.Membership(ctx, "h")
	require.NoError(t, err)
	require.True(t, membership.Equal(core.NewBigSegmentMembership([]string{"s.g1"}, nil)))
	require.Equal(t, []string{"pipeline"}, counting.commands)
	require.NoError(t, segments.Close())
}

// While a slot moves from one node to another, what is there and what is not yet there is read and written.
func TestStore_Cluster_SlotMoves_IsFollowed(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	ctx := t.Context()
	servers := containers.StartRedisCluster(t, false)
	prefix := taggedPrefix()
	move := newSlotMove(t, servers, slotOf(prefix+":features"))
	store, err := Open(ctx, oneNode(servers.URL), &Options{Prefix: prefix})
	require.NoError(t, err)
	require.NoError(t, store.Init(ctx, nil)) // the Cluster is known now
	move.begin()
	upsert := func(version int) {
		t.Helper()
		result, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", version))
		require.NoError(t, err)
		require.True(t, result.Written)
		_, found, err := store.Get(ctx, core.Flags, "k")
		require.NoError(t, err)
		require.True(t, found)
	}
	upsert(1) // asked of the destination, since the source has no such key
	require.EqualValues(t, 1, move.must(move.from, "CLUSTER", "COUNTKEYSINSLOT", move.slot), "the mark")
	move.finish()
	upsert(2) // moved
	require.EqualValues(t, 2, move.must(move.from, "CLUSTER", "COUNTKEYSINSLOT", move.slot), "where the slot is now")
	require.NoError(t, store.Close())
}

// When a primary dies, what it has is unavailable, what others have is not, and its replica is used when it has taken over.
func TestStore_Cluster_PrimaryDies_ReplicaIsUsed(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	ctx := t.Context()
	servers := containers.StartRedisCluster(t, true)
	prefix := taggedPrefix()
	slot := int(slotOf(prefix + ":features"))
	lost := servers.PrimaryOf(t, servers.Primaries[0], slot)
	store, err := Open(ctx, servers.URL, &Options{Prefix: prefix})
	require.NoError(t, err)
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 1, 60)}))
	replicated := clientFor(t, lost.URL)
	require.NoError(t, replicated.Do(ctx, "WAIT", 1, 5000).Err())
	lost.Stop(t)
	begin := time.Now()
	_, err = store.Upsert(ctx, core.Flags, "flag-00000", storetest.Item("flag-00000", 2))
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.Less(t, time.Since(begin), 3*soon)
	require.Eventually(t, func() bool {
		_, err := store.Upsert(ctx, core.Flags, "flag-00000", storetest.Item("flag-00000", 2))
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
	items, err := store.GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Equal(t, map[int]int{1: 2, 2: 1}, versions(t, items))
	require.NoError(t, store.Close())
}

// Nodes that never answer cost what a context allows and no more, and Close leaves nothing behind.
func TestStore_MuteClusterNode_TimesOut(t *testing.T) {
	url := "redis+cluster://" + storetest.Mute(t)
	store, err := Open(t.Context(), url, &Options{Prefix: "{p}"})
	require.NoError(t, err)
	b := bounded(t, store, 100*time.Millisecond)
	begin := time.Now()
	require.ErrorIs(t, b.CheckAvailability(t.Context()), core.ErrUnavailable)
	_, err = b.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorIs(t, b.Init(t.Context(), nil), core.ErrUnavailable)
	require.NoError(t, b.Close())
	require.ErrorIs(t, store.Init(t.Context(), nil), core.ErrClosed)
	require.Less(t, time.Since(begin), soon)
}
