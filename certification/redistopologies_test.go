package certification

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/redisstore"
)

// failover is servers of Redis of which one takes the place of another.
type failover struct {
	*server

	admin   redis.UniversalClient
	primary *containers.RedisServer // that is lost
	promote func(ctx context.Context) error
}

// newFailover makes what clients of a URL need. What surrounds a prefix keeps its keys together.
func newFailover(t testing.TB, url, left, right string, admin redis.UniversalClient, primary *containers.RedisServer) *failover {
	t.Helper()
	f := &failover{admin: admin, primary: primary}
	t.Cleanup(func() { _ = admin.Close() })
	hash := func(prefix string) string { return left + prefix + right + ":features" }
	f.server = &server{
		address: url,
		open: func(t testing.TB, url, prefix string, logger *slog.Logger) adapter {
			store, err := redisstore.Open(t.Context(), url, &redisstore.Options{Prefix: left + prefix + right, Logger: logger})
			if err != nil {
				t.Fatalf("opening a store: %v", err)
			}
			return store
		},
		read: func(ctx context.Context, prefix string) (map[string]string, error) {
			return admin.HGetAll(ctx, hash(prefix)).Result()
		},
		write: func(ctx context.Context, prefix, key, data string) error {
			return admin.HSet(ctx, hash(prefix), key, data).Err()
		},
	}
	f.await(t) // also so that the connections to all nodes do not look like what a client left over
	return f
}

func startSentinel(t testing.TB) *failover {
	t.Helper()
	servers := containers.StartRedisSentinel(t)
	var addresses []string
	for _, s := range servers.Sentinels {
		addresses = append(addresses, s.Address)
	}
	f := newFailover(t, servers.URL, "", "", redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: servers.Name, SentinelAddrs: addresses, MaxIdleConns: 1,
	}), servers.Primary)
	f.promote = func(ctx context.Context) error {
		sentinel := redis.NewSentinelClient(&redis.Options{Addr: addresses[0]})
		defer func() { _ = sentinel.Close() }()
		return sentinel.Failover(ctx, servers.Name).Err()
	}
	return f
}

func startCluster(t testing.TB) *failover {
	t.Helper()
	cluster := containers.StartRedisCluster(t, true)
	f := newFailover(t, cluster.URL, "{", "}", redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: strings.Split(strings.TrimPrefix(cluster.URL, "redis+cluster://"), ","), MaxIdleConns: 1, ReadTimeout: time.Second / 2,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), cluster.Primaries[0])
	f.promote = func(ctx context.Context) error {
		replica := redis.NewClient(&redis.Options{Addr: cluster.Replicas[0].Address})
		defer func() { _ = replica.Close() }()
		return replica.ClusterFailover(ctx).Err()
	}
	return f
}

// await waits until the servers take writes again, whichever has a key.
func (f *failover) await(t testing.TB) {
	t.Helper()
	const (
		within = time.Minute
		keys   = 50 // so many that each node has some
	)
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for n := 0; n < keys; {
		if f.admin.Set(ctx, fmt.Sprint("awaited-", n), "x", time.Minute).Err() == nil {
			n++
			continue
		}
		if ctx.Err() != nil {
			t.Fatalf("no server has taken the place of the one that was lost within %v", within)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// failoverInjections are all injections of servers that take each other's place. What is measured from the server's recovery is
// measured from the moment at which another one takes writes.
func failoverInjections() []injection {
	await := func(t testing.TB, f *failover) { f.await(t) }
	want := Expectations{Answers: true} // what takes the other's place, before it is found to take writes
	faults := []fault[*failover]{
		{"primary killed", time.Second, want, func(t testing.TB, f *failover) { f.primary.Stop(t) }, await},
		{"primary stopped by SIGSTOP", time.Second, want, func(t testing.TB, f *failover) { f.primary.Pause(t) }, await},
		{"failover by command", time.Second, want, func(t testing.TB, f *failover) {
			if err := f.promote(context.Background()); err != nil {
				t.Fatalf("a failover by command: %v", err)
			}
		}, await},
	}
	return slices.Concat(
		injections("redis-sentinel", faults, func(t testing.TB) (*failover, *server) { f := startSentinel(t); return f, f.server }),
		injections("redis-cluster", faults, func(t testing.TB) (*failover, *server) { f := startCluster(t); return f, f.server }),
	)
}
