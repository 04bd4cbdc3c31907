package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
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

// freshPrefix is a prefix that nobody else uses.
func freshPrefix() string { return "test-" + rand.Text() }

// openStore opens a store of its own on the shared server.
func openStore(t testing.TB, opts Options) *Store {
	t.Helper()
	store, err := Open(t.Context(), containers.Redis(t), &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// item makes a serialised flag.
func item(key string, version int) core.SerializedItem {
	return core.SerializedItem{Version: version, Data: fmt.Appendf(nil, `{"key":%q,"version":%d}`, key, version)}
}

// flags makes a collection of n flags of about size bytes each.
func flags(n, version, size int) core.SerializedCollection {
	padding := strings.Repeat("x", max(0, size-60))
	collection := core.SerializedCollection{Kind: core.Flags}
	for i := range n {
		key := fmt.Sprintf("flag-%05d", i)
		data := fmt.Appendf(nil, `{"key":%q,"version":%d,"padding":%q}`, key, version, padding)
		collection.Items = append(collection.Items,
			core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Version: version, Data: data}})
	}
	return collection
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

// muteServer accepts connections and never answers.
func muteServer(t testing.TB) (url string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		<-done
	})
	return "redis://" + listener.Addr().String()
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
func taggedPrefix() string { return "{" + freshPrefix() + "}" }

// bounded is a store as everything in cleat uses it: one whose calls end in time.
func bounded(t testing.TB, store *Store, timeout time.Duration) *lifecycle.Store {
	t.Helper()
	limits := lifecycle.Limits{Read: timeout, ReadAll: timeout, Write: timeout, Init: timeout}
	b := lifecycle.Bound(lifecycle.New("test", slog.New(slog.DiscardHandler)), store, limits)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}
