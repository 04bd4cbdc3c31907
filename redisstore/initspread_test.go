package redisstore

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// afterScript is a hook that calls a function once a script has been run for a hash.
type afterScript struct {
	countingHook
	hash string
	once sync.Once
	call func()
}

func (h *afterScript) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if args := cmd.Args(); err == nil && strings.HasPrefix(cmd.Name(), "eval") && args[3] == h.hash {
			h.once.Do(h.call)
		}
		return err
	}
}

// clusterStoreWithHook makes a store that calls f when the first items of a kind have been put into place.
func clusterStoreWithHook(t *testing.T, prefix string, kind core.DataKind, f func()) *ClusterStore {
	t.Helper()
	client := clusterClient(t)
	client.AddHook(&afterScript{hash: keys{prefix}.items(kind), call: f})
	store, err := NewCluster(t.Context(), client, &Options{Prefix: prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// collectionOf makes a collection of items of one version.
func collectionOf(kind core.DataKind, version int, itemKeys ...string) core.SerializedCollection {
	collection := core.SerializedCollection{Kind: kind}
	for _, key := range itemKeys {
		collection.Items = append(collection.Items, core.KeyedSerializedItem{Key: key, Item: item(key, version)})
	}
	return collection
}

func versionsOf(t *testing.T, store core.FeatureStoreCore, kind core.DataKind) map[string]int {
	t.Helper()
	items, err := store.GetAll(context.Background(), kind)
	require.NoError(t, err)
	found := map[string]int{}
	for _, keyed := range items {
		parsed, err := keyed.Item.Parse(kind, keyed.Key)
		require.NoError(t, err)
		found[keyed.Key] = parsed.Version()
	}
	return found
}

// Collections take effect in their order, also if a kind occurs in several, and what is left over goes when all is there.
func TestClusterStore_Init_TakesEffectInOrder(t *testing.T) {
	ctx, prefix := t.Context(), freshPrefix()
	reader := openCluster(t, Options{Prefix: prefix})
	require.NoError(t, reader.Init(ctx, []core.SerializedCollection{
		collectionOf(core.Segments, 1, "s", "old"), collectionOf(core.Flags, 1, "a", "b", "old"),
	}))
	var flagsMeanwhile, segmentsMeanwhile map[string]int
	store := clusterStoreWithHook(t, prefix, core.Segments, func() {
		flagsMeanwhile, segmentsMeanwhile = versionsOf(t, reader, core.Flags), versionsOf(t, reader, core.Segments)
	})
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{
		collectionOf(core.Flags, 2, "a"), collectionOf(core.Segments, 2, "s"), collectionOf(core.Flags, 2, "b"),
	}))
	require.Equal(t, map[string]int{"a": 2, "b": 1, "old": 1}, flagsMeanwhile)
	require.Equal(t, map[string]int{"s": 2, "old": 1}, segmentsMeanwhile)
	require.Equal(t, map[string]int{"a": 2, "b": 2}, versionsOf(t, reader, core.Flags))
	require.Equal(t, map[string]int{"s": 2}, versionsOf(t, reader, core.Segments))
	require.Len(t, clusterKeys(t, clusterClient(t), prefix), 3)
}

// What others write into a kind after an Init has come to it stays, whether it is new, changed, or was to be removed.
func TestClusterStore_Init_UpsertsMeanwhile_Stay(t *testing.T) {
	ctx, prefix := t.Context(), freshPrefix()
	other := openCluster(t, Options{Prefix: prefix})
	require.NoError(t, other.Init(ctx, []core.SerializedCollection{collectionOf(core.Segments, 1, "s", "left over", "wanted again")}))
	store := clusterStoreWithHook(t, prefix, core.Segments, func() {
		for _, key := range []string{"s", "wanted again", "new"} {
			_, err := other.Upsert(ctx, core.Segments, key, item(key, 7))
			require.NoError(t, err)
		}
	})
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{
		collectionOf(core.Segments, 2, "s"), collectionOf(core.Flags, 2, "f"), collectionOf(core.Segments, 2, "t"),
	}))
	require.Equal(t, map[string]int{"s": 7, "t": 2, "new": 7, "wanted again": 7}, versionsOf(t, other, core.Segments))
}

// So it does in a kind of which the Init brings nothing.
func TestClusterStore_Init_UpsertMeanwhileIntoKindWithoutItems_Stays(t *testing.T) {
	ctx, prefix := t.Context(), freshPrefix()
	other := openCluster(t, Options{Prefix: prefix})
	require.NoError(t, other.Init(ctx, []core.SerializedCollection{collectionOf(core.Segments, 1, "left over", "wanted again")}))
	store := clusterStoreWithHook(t, prefix, core.Flags, func() {
		for _, key := range []string{"new", "wanted again"} {
			for _, kind := range core.BuiltInKinds() {
				_, err := other.Upsert(ctx, kind, key, item(key, 7))
				require.NoError(t, err)
			}
		}
	})
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{collectionOf(core.Flags, 2, "f")}))
	require.Equal(t, map[string]int{"f": 2, "new": 7, "wanted again": 7}, versionsOf(t, other, core.Flags))
	require.Equal(t, map[string]int{"new": 7, "wanted again": 7}, versionsOf(t, other, core.Segments))
	require.Len(t, clusterKeys(t, clusterClient(t), prefix), 3)
}

// An Init that stops half way says so, leaves the mark as it was, removes nothing, and can be repeated.
func TestClusterStore_Init_StopsHalfWay_IsPartial(t *testing.T) {
	ctx, client := t.Context(), clusterClient(t)
	for _, initialized := range []bool{false, true} {
		prefix := freshPrefix()
		store := openCluster(t, Options{Prefix: prefix})
		if initialized {
			require.NoError(t, store.Init(ctx, []core.SerializedCollection{collectionOf(core.Segments, 1, "s", "old")}))
		}
		require.NoError(t, client.Set(ctx, prefix+":features", "not ours", 0).Err())
		data := []core.SerializedCollection{collectionOf(core.Segments, 2, "s", "t"), collectionOf(core.Flags, 2, "f")}
		err := store.Init(ctx, data)
		var partial *core.PartialInitError
		require.ErrorAs(t, err, &partial)
		require.Equal(t, 2, partial.Written)
		require.Equal(t, 3, partial.Total)
		require.ErrorIs(t, err, core.ErrCorrupt)
		require.ErrorContains(t, err, prefix+":features")
		found, err := store.Initialized(ctx)
		require.NoError(t, err)
		require.Equal(t, initialized, found)
		want := map[string]int{"s": 2, "t": 2}
		if initialized {
			want["old"] = 1
		}
		require.Equal(t, want, versionsOf(t, store, core.Segments))
		require.Equal(t, "not ours", client.Get(ctx, prefix+":features").Val())
		for _, key := range clusterKeys(t, client, prefix) {
			require.NotContains(t, key, "$init:")
		}

		require.NoError(t, client.Del(ctx, prefix+":features").Err())
		require.NoError(t, store.Init(ctx, data))
		require.Equal(t, map[string]int{"s": 2, "t": 2}, versionsOf(t, store, core.Segments))
		require.Equal(t, map[string]int{"f": 2}, versionsOf(t, store, core.Flags))
	}
}

// An item over the limit is reported and keeps its stored version, in whichever way its kind takes effect.
func TestClusterStore_Init_ItemTooLarge_StopsNothingElse(t *testing.T) {
	ctx, prefix := t.Context(), freshPrefix()
	store := openCluster(t, Options{Prefix: prefix, MaxItemSize: 100})
	kinds := []core.DataKind{core.Segments, "only", core.Flags}
	data := []core.SerializedCollection{}
	oversized := core.SerializedItem{Version: 2, Data: []byte(`{"version":2,"x":"` + strings.Repeat("x", 100) + `"}`)}
	for _, kind := range kinds {
		for _, key := range []string{"large", "gone"} {
			_, err := store.Upsert(ctx, kind, key, item(key, 1))
			require.NoError(t, err)
		}
		collection := collectionOf(kind, 2, "small")
		if kind == "only" {
			collection.Items = nil
		}
		collection.Items = append(collection.Items, core.KeyedSerializedItem{Key: "large", Item: oversized})
		data = append(data, collection)
	}
	err := store.Init(ctx, data)
	items, only := core.ItemErrors(err)
	require.True(t, only)
	require.Len(t, items, 3)
	require.Equal(t, map[string]int{"large": 1, "small": 2}, versionsOf(t, store, core.Segments))
	require.Equal(t, map[string]int{"large": 1}, versionsOf(t, store, "only"))
	require.Equal(t, map[string]int{"large": 1, "small": 2}, versionsOf(t, store, core.Flags))
	initialized, err := store.Initialized(ctx)
	require.NoError(t, err)
	require.True(t, initialized)
}

// More leftovers than one script removes are removed.
func TestClusterStore_Init_ManyLeftovers_AreRemoved(t *testing.T) {
	ctx, prefix := t.Context(), freshPrefix()
	store := openCluster(t, Options{Prefix: prefix})
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{flags(2*maxRemovals+1, 1, 60)}))
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{
		collectionOf(core.Flags, 2, "a"), collectionOf(core.Segments, 2, "s"),
	}))
	require.Equal(t, map[string]int{"a": 2}, versionsOf(t, store, core.Flags))
}
