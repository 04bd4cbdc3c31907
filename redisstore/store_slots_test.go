package redisstore

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

// clusterClient is the driver alone, on the shared Cluster, of which it is told one node.
func clusterClient(t testing.TB) *redis.ClusterClient {
	t.Helper()
	return clusterClientFor(t, containers.RedisCluster(t))
}

func clusterClientFor(t testing.TB, url string) *redis.ClusterClient {
	t.Helper()
	addresses := strings.Split(strings.TrimPrefix(url, "redis+cluster://"), ",")
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses[:1], ContextTimeoutEnabled: true})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// Whatever braces a prefix has, our idea of slots is the server's.
func TestKeys_Slots_AreTheServers(t *testing.T) {
	client := clusterClient(t)
	for prefix, oneSlot := range map[string]bool{
		"launchdarkly": false, "": false, "a b/ü": false, "{app}": true, "x{app}y": true, "{a}{b}": true, "a{{b}": true,
		"a{b": false, "a}b": false, "a}b{c": false, "{}": false, "{}{a}": false, "a}b{c}": true,
	} {
		k := keys{prefix}
		require.Equal(t, oneSlot, k.oneSlot(), prefix)
		slots := map[uint16]bool{}
		for _, kind := range append(core.BuiltInKinds(), "other") {
			for _, key := range []string{k.items(kind), k.staged("ID", kind), k.inited()} {
				require.EqualValues(t, client.ClusterKeySlot(t.Context(), key).Val(), slotOf(key), key)
			}
			slots[slotOf(k.items(kind))] = true
		}
		require.Equal(t, oneSlot, len(slots) == 1, prefix)
	}
}

func TestInEverySlot_NamesHaveTheirSlots(t *testing.T) {
	names := inEverySlot("p:big_segments_fence:")
	require.Len(t, names, slotCount)
	for slot, name := range names {
		require.EqualValues(t, slot, slotOf(name), name)
		require.True(t, strings.HasPrefix(name, "p:big_segments_fence:"))
	}
}
