package containers

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func addresses(servers []*RedisServer) []string { return strings.Split(addressesOf(servers), ",") }

// A Cluster takes keys of every slot from its first moment on.
func TestStartRedisCluster_ServesAllSlots(t *testing.T) {
	cluster := StartRedisCluster(t, true)
	require.Len(t, cluster.Primaries, 3)
	require.Len(t, cluster.Replicas, 3)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses(cluster.Primaries[:1])})
	defer func() { require.NoError(t, client.Close()) }()
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
		require.NoError(t, client.Set(t.Context(), key, "x", 0).Err(), key)
	}
	require.Same(t, cluster.Primaries[2], cluster.PrimaryOf(t, cluster.Primaries[0], 16383))
	require.Same(t, cluster.Primaries[0], cluster.PrimaryOf(t, cluster.Primaries[1], 0))
}

// All tests share one Cluster, and one set of Sentinels.
func TestRedisTopologies_AreShared(t *testing.T) {
	cluster, sentinels := RedisCluster(t), RedisSentinel(t)
	require.Equal(t, cluster, RedisCluster(t))
	require.True(t, strings.HasPrefix(cluster, "redis+cluster://127.0.0.1:"))
	require.Equal(t, sentinels, RedisSentinel(t))
	require.True(t, strings.HasPrefix(sentinels, "redis+sentinel://127.0.0.1:"))
}

// When the primary is lost, the Sentinels replace it by the replica.
func TestStartRedisSentinel_ReplacesThePrimary(t *testing.T) {
	servers := StartRedisSentinel(t)
	require.Equal(t, servers.Primary.Address, servers.ReportedPrimary(t, servers.Sentinels[0]))
	servers.Primary.Stop(t)
	require.Eventually(t, func() bool {
		return servers.ReportedPrimary(t, servers.Sentinels[0]) == servers.Replica.Address
	}, 30*time.Second, 100*time.Millisecond)
}
