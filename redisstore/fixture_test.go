package redisstore

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
	"github.com/cleatdev/cleat/internal/storetest"
)

// bareClient is the driver alone, on the shared server.
func bareClient(t testing.TB) *redis.Client {
	t.Helper()
	return clientFor(t, containers.Redis(t))
}

func clientFor(t testing.TB, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// openStore opens a store of its own on the shared server.
func openStore(t testing.TB, opts Options) *Store {
	t.Helper()
	store, err := Open(t.Context(), containers.Redis(t), &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// bytesOf reads an item with the bare driver.
func bytesOf(t testing.TB, client *redis.Client, hash, key string) []byte {
	t.Helper()
	data, err := client.HGet(t.Context(), hash, key).Bytes()
	require.NoError(t, err)
	return data
}

func hasNoKeys(t testing.TB, client *redis.Client, pattern string) {
	t.Helper()
	keys, err := client.Keys(context.Background(), pattern).Result()
	require.NoError(t, err)
	require.Empty(t, keys)
}

// countingHook counts the exchanges with the server: commands and pipelines.
type countingHook struct{ commands []string }

func (h *countingHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *countingHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.commands = append(h.commands, cmd.Name())
		return next(ctx, cmd)
	}
}

func (h *countingHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.commands = append(h.commands, "pipeline")
		return next(ctx, cmds)
	}
}

// collectionOf makes a collection of items of one version.
func collectionOf(kind core.DataKind, version int, itemKeys ...string) core.SerializedCollection {
	collection := core.SerializedCollection{Kind: kind}
	for _, key := range itemKeys {
		collection.Items = append(collection.Items, core.KeyedSerializedItem{Key: key, Item: storetest.Item(key, version)})
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

// dataOf makes a data set in which each flag refers to a segment, with items that every data set has and items that only
// this one has. Sets of the same version have the same bytes for the same keys.
func dataOf(name string, version int) []core.SerializedCollection {
	return []core.SerializedCollection{
		collectionOf(core.Segments, version, "common", "segment of "+name),
		collectionOf("custom", version, "common", name),
		collectionOf(core.Flags, version, "common", "flag of "+name),
	}
}

// requireStored requires that a data set is stored, and nothing but that.
func requireStored(t *testing.T, store core.FeatureStoreCore, data []core.SerializedCollection, when ...any) {
	t.Helper()
	for _, collection := range data {
		want := map[string]int{}
		for _, keyed := range collection.Items {
			want[keyed.Key] = keyed.Item.Version
		}
		require.Equal(t, want, versionsOf(t, store, collection.Kind), append([]any{collection.Kind}, when...)...)
	}
}

// taggedPrefix is a prefix that no other test uses and that keeps all keys in one slot of a Cluster.
func taggedPrefix() string { return "{" + storetest.Prefix() + "}" }

// bounded is a store as everything in cleat uses it: one whose calls end in time.
func bounded(t testing.TB, store *Store, timeout time.Duration) *lifecycle.Store {
	t.Helper()
	limits := lifecycle.Limits{Read: timeout, ReadAll: timeout, Write: timeout, Init: timeout}
	b := lifecycle.Bound(lifecycle.New("test", slog.New(slog.DiscardHandler)), store, limits)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}
