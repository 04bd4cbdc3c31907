package redisstore

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// quietLogger is for tests in which servers are lost.
func quietLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

func watchableCluster(t *testing.T, url string, opts Options) *Store {
	t.Helper()
	store, err := Open(t.Context(), url, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func clusterClientOf(t *testing.T, url string) *redis.ClusterClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: strings.Split(strings.TrimPrefix(url, "redis+cluster://"), ","), DialerRetries: 1, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// On a Cluster every write is told once, whichever node has the kind, and also if cleat's channel alone tells it.
func TestStore_Cluster_Watch_EachWriteIsToldOnce(t *testing.T) {
	ctx, url := t.Context(), containers.RedisCluster(t)
	client := clusterClientOf(t, url)
	for _, prefix := range []string{taggedPrefix(), taggedPrefix()} {
		callers, err := New(ctx, client, &Options{Prefix: prefix})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, callers.Close()) })
		other := watchableCluster(t, url, Options{Prefix: prefix})
		for _, w := range []*watched{watchStore(t, other), watchStore(t, callers)} {
			kinds := []core.DataKind{core.Flags, core.Segments}
			for _, kind := range kinds { // The node that tells of a kind is known after the first write.
				upsert(t, other, kind, fmt.Sprintf("first-%p", w), 1)
				w.wantEventually(core.Change{Kind: kind, Key: fmt.Sprintf("first-%p", w)})
			}
			w.drain()
			for version := range 5 {
				for _, kind := range kinds {
					key := fmt.Sprintf("k-%p", w)
					upsert(t, other, kind, key, version+1)
					w.want(core.Change{Kind: kind, Key: key})
				}
			}
			w.quiet()
			for _, kind := range kinds {
				require.NoError(t, client.HSet(ctx, (keys{prefix}).items(kind), "foreign", fmt.Sprintf("%p", w)).Err())
				w.want(core.Change{Kind: kind})
			}
			require.NoError(t, other.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 1, 50)}))
			w.wantEventually(core.Change{})
			w.drain()
		}
	}
}

// writeUntilSeen writes until the watch tells that it has seen a write, which then is not a copy of an earlier one.
func (w *watched) writeUntilSeen(store core.FeatureStoreCore, key string) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for version := 1; ; version++ {
		require.Less(w.t, time.Now(), deadline, "no write was told")
		if _, err := store.Upsert(w.t.Context(), core.Flags, key, storetest.Item(key, version)); err != nil {
			continue
		}
		select {
		case c := <-w.changes:
			if c == flagChange(key) {
				return
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// When a node of a Cluster is lost, the watch goes on with the one that takes its place.
func TestStore_Cluster_Watch_NodeLost_GoesOnWithItsReplica(t *testing.T) {
	t.Parallel()
	cluster := containers.StartRedisCluster(t, true)
	opts := Options{Prefix: "{flags}", Logger: quietLogger()}
	store, other := watchableCluster(t, cluster.URL, opts), watchableCluster(t, cluster.URL, opts)
	w := watchStore(t, store)
	upsert(t, other, core.Flags, "before", 1)
	w.wantEventually(flagChange("before"))
	slot := int(clusterClientOf(t, cluster.URL).ClusterKeySlot(t.Context(), "{flags}:features").Val())
	primary := cluster.PrimaryOf(t, cluster.Primaries[0], slot)
	primary.Stop(t)
	w.wantEventually(core.Change{})
	w.writeUntilSeen(other, "after")
	require.NoError(t, clusterClientOf(t, cluster.URL).HSet(t.Context(), "{flags}:features", "foreign", "{}").Err())
	w.wantEventually(flagChange(""))
}

// The watch goes with the primary: when that dies, and when it lives on as a replica.
func TestStore_Watch_Sentinel_GoesWithThePrimary(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(*testing.T, *containers.RedisSentinelServers){
		"dies": func(t *testing.T, servers *containers.RedisSentinelServers) { servers.Primary.Stop(t) },
		"lives on": func(t *testing.T, servers *containers.RedisSentinelServers) {
			sentinel := redis.NewSentinelClient(&redis.Options{Addr: servers.Sentinels[0].Address})
			defer func() { require.NoError(t, sentinel.Close()) }()
			require.NoError(t, sentinel.Failover(t.Context(), servers.Name).Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers, log := containers.StartRedisSentinel(t), make(warnings, 1000)
			opts := Options{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{
				Level: slog.LevelDebug,
			}))}
			store, err := Open(t.Context(), servers.URL, &opts)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			other, err := Open(t.Context(), servers.URL, &Options{Logger: quietLogger()})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, other.Close()) })
			w := watchStore(t, store)
			log.await(t, "server="+servers.Primary.Address)
			upsert(t, other, core.Flags, "before", 1)
			w.want(flagChange("before"))

			replace(t, servers)
			log.await(t, "server="+servers.Replica.Address)
			w.wantEventually(core.Change{})
			w.writeUntilSeen(other, "after")
		})
	}
}
