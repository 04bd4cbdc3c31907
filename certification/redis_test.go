package certification

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/internal/storetest"
	"github.com/cleatdev/cleat/redisstore"
)

const redisUser = "certify"

// redisServer is a Redis server of its own, with what faults need of it.
type redisServer struct {
	*server

	container *containers.RedisServer
	admin     *redis.Client
	password  string
}

func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	r := &redisServer{password: "secret-" + rand.Text()}
	r.container = containers.StartRedis(t, append(append([]string{"--user"}, r.rules()...), args...)...)
	options, err := redis.ParseURL(r.container.URL)
	if err != nil {
		t.Fatalf("the server's URL: %v", err)
	}
	options.MaxIdleConns = 1 // so that its connections do not look like what a client left over
	r.admin = redis.NewClient(options)
	t.Cleanup(func() { _ = r.admin.Close() })
	r.do(t, "ping")
	r.server = &server{
		proxy: storetest.StartProxy(t, r.container.Address), address: r.container.Address, secrets: []string{r.password},
		open: func(t testing.TB, address, prefix string, logger *slog.Logger) adapter {
			url := "redis://" + redisUser + ":" + r.password + "@" + address
			store, err := redisstore.Open(t.Context(), url, &redisstore.Options{Prefix: prefix, Logger: logger})
			if err != nil {
				t.Fatalf("opening a store: %v", err)
			}
			return store
		},
		read: func(ctx context.Context, prefix string) (map[string]string, error) {
			return r.admin.HGetAll(ctx, prefix+":features").Result()
		},
		write: func(ctx context.Context, prefix, key, data string) error {
			return r.admin.HSet(ctx, prefix+":features", key, data).Err()
		},
	}
	return r
}

// rules are what clients may do, in the words of the server's configuration.
func (r *redisServer) rules() []string {
	return []string{redisUser, "reset", "on", ">" + r.password, "~*", "&*", "+@all"}
}

// allow lets clients do everything.
func (r *redisServer) allow(t testing.TB) {
	t.Helper()
	rules := r.rules()
	words := append(make([]any, 0, len(rules)+2), "acl", "setuser")
	for _, word := range rules {
		words = append(words, word)
	}
	r.do(t, words...)
}

// do sends a command of the administrator.
func (r *redisServer) do(t testing.TB, words ...any) {
	t.Helper()
	if err := r.admin.Do(context.Background(), words...).Err(); err != nil {
		t.Fatalf("redis: %v: %v", words[0], err)
	}
}

// hashes returns the keys of all hashes of flags.
func (r *redisServer) hashes(t testing.TB) []string {
	t.Helper()
	keys, err := r.admin.Keys(context.Background(), "*:features").Result()
	if err != nil {
		t.Fatalf("redis: listing hashes: %v", err)
	}
	return keys
}

// redisInjections are all injections of a single Redis server.
func redisInjections() []injection {
	start := func(args ...string) func(t testing.TB) (*redisServer, *server) {
		return func(t testing.TB) (*redisServer, *server) { r := startRedis(t, args...); return r, r.server }
	}
	stop := func(t testing.TB, r *redisServer) { r.container.Stop(t) }
	restart := func(t testing.TB, r *redisServer) { r.container.Start(t) }
	return slices.Concat(
		injections("redis", []fault[*redisServer]{
			{"killed, back empty", outage, Expectations{Lost: true}, stop, restart},
			{
				"SIGSTOP", 20 * time.Second, Expectations{},
				func(t testing.TB, r *redisServer) { r.container.Pause(t) }, func(t testing.TB, r *redisServer) { r.container.Unpause(t) },
			},
		}, start()),
		injections("redis", []fault[*redisServer]{
			{"killed, back with data", outage, Expectations{}, stop, restart},
		}, start("--appendonly", "yes", "--appendfsync", "always")),
		injections("redis", redisRefusals(), start()),
		injections("redis", networkFaults(), func(t testing.TB) (*server, *server) { r := startRedis(t); return r.server, r.server }),
	)
}

// redisRefusals are faults of a server that goes on answering.
func redisRefusals() []fault[*redisServer] {
	ctx, writes := context.Background(), Expectations{WritesFailed: true}
	words := func(words ...any) func(testing.TB, *redisServer) {
		return func(t testing.TB, r *redisServer) { r.do(t, words...) }
	}
	nothing := func(testing.TB, *redisServer) {}
	return []fault[*redisServer]{
		{"OOM", partial, writes, words("config", "set", "maxmemory", "1"), words("config", "set", "maxmemory", "0")},
		{"READONLY", partial, writes, words("replicaof", "127.0.0.1", "1"), words("replicaof", "no", "one")},
		{
			"NOREPLICAS", partial, writes,
			words("config", "set", "min-replicas-to-write", "1"), words("config", "set", "min-replicas-to-write", "0"),
		},
		{
			"write denied", partial, writes,
			words("acl", "setuser", redisUser, "-@write"), func(t testing.TB, r *redisServer) { r.allow(t) },
		},
		{
			"password changed", outage, Expectations{},
			func(t testing.TB, r *redisServer) {
				r.do(t, "acl", "setuser", redisUser, "resetpass", ">another")
				r.do(t, "client", "kill", "user", redisUser)
			},
			func(t testing.TB, r *redisServer) { r.allow(t) },
		},
		{"FLUSHALL", outage, Expectations{Lost: true, Answers: true}, words("flushall"), nothing},
		{
			"hash evicted", outage, Expectations{Lost: true, Answers: true}, func(t testing.TB, r *redisServer) {
				for _, hash := range r.hashes(t) {
					r.do(t, "del", hash)
				}
			}, nothing,
		},
		{
			"wrong type", partial, Expectations{WritesFailed: true, Lost: true}, func(t testing.TB, r *redisServer) {
				for _, hash := range r.hashes(t) {
					r.do(t, "del", hash)
					r.do(t, "set", hash, "x")
				}
			}, func(t testing.TB, r *redisServer) {
				for _, hash := range r.hashes(t) {
					if r.admin.Type(ctx, hash).Val() == "string" {
						r.do(t, "del", hash)
					}
				}
			},
		},
	}
}
