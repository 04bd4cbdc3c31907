package redisstore

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// rotating is a source of credentials whose password changes.
type rotating struct {
	password atomic.Value
	asked    atomic.Int64
}

func (r *rotating) credentials(context.Context) (username, password string, err error) {
	r.asked.Add(1)
	return "rotating", r.password.Load().(string), nil
}

// setPassword changes the user's password, and ends its connections if they are to learn of it.
func setPassword(t *testing.T, admin *redis.Client, password string, disconnect bool) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, admin.Do(ctx, "ACL", "SETUSER", "rotating", "on", "resetpass", ">"+password, "~*", "&*", "+@all").Err())
	t.Cleanup(func() { admin.Do(context.Background(), "ACL", "DELUSER", "rotating") })
	if disconnect {
		require.NoError(t, admin.Do(ctx, "CLIENT", "KILL", "USER", "rotating").Err())
	}
}

// A password that changes is asked for again by new connections; those that are open stay, and a stale one says so.
func TestOptions_Credentials_ArePickedUpByNewConnections(t *testing.T) {
	ctx, server := t.Context(), containers.StartRedis(t)
	admin, source := clientFor(t, server.URL), &rotating{}
	setPassword(t, admin, "hunter1", false)
	source.password.Store("hunter1")
	store := openAt(t, server.URL+"?pool_size=1", Options{Credentials: source.credentials})
	require.NoError(t, store.CheckAvailability(ctx))
	require.EqualValues(t, 1, source.asked.Load())

	setPassword(t, admin, "hunter2", false)
	source.password.Store("hunter2")
	require.NoError(t, store.CheckAvailability(ctx))
	require.EqualValues(t, 1, source.asked.Load(), "the connection is still open")

	setPassword(t, admin, "hunter2", true)
	require.NoError(t, store.CheckAvailability(ctx))
	require.EqualValues(t, 2, source.asked.Load())

	setPassword(t, admin, "hunter3", true)
	err := store.CheckAvailability(ctx)
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "check the user name and the password")
	require.NotContains(t, err.Error(), "hunter")
	source.password.Store("hunter3")
	require.NoError(t, store.CheckAvailability(ctx))
}

// noTokenError is why a source of credentials has none.
type noTokenError struct{ text string }

func (e noTokenError) Error() string { return e.text }

// A source that fails is an outage with its cause, and what it returned besides is not shown.
func TestOptions_Credentials_FailureIsUnavailable(t *testing.T) {
	for name, url := range map[string]string{
		"single":   containers.Redis(t),
		"cluster":  containers.RedisCluster(t),
		"sentinel": containers.RedisSentinel(t),
	} {
		store := openAt(t, url, Options{Prefix: "{p}", Credentials: func(context.Context) (string, string, error) {
			return "user", "hunter2", noTokenError{"hunter2 has expired"}
		}})
		err := store.CheckAvailability(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable, name)
		require.ErrorContains(t, err, "Options.Credentials failed", name)
		require.ErrorAs(t, err, new(noTokenError), name)
		require.NotContains(t, err.Error(), "hunter2", name)
	}
}

// Credentials are used in every topology, for servers that hold data.
func TestOptions_Credentials_InEveryTopology(t *testing.T) {
	for name, url := range map[string]string{"cluster": containers.RedisCluster(t), "sentinel": containers.RedisSentinel(t)} {
		servers := []string{sentinelClient(t, containers.RedisSentinel(t)).ClientInfo(t.Context()).Val().LAddr}
		if name == "cluster" {
			servers = strings.Split(strings.TrimPrefix(url, "redis+cluster://"), ",")
		}
		for _, address := range servers {
			setPassword(t, clientFor(t, "redis://"+address), "hunter2", false)
		}
		source := &rotating{}
		source.password.Store("hunter2")
		store := openAt(t, url, Options{Prefix: "{" + storetest.Prefix() + "}", Credentials: source.credentials})
		require.NoError(t, store.Init(t.Context(), nil), name)
		require.Positive(t, source.asked.Load(), name)
		user, err := store.client.Do(t.Context(), "ACL", "WHOAMI").Result()
		require.NoError(t, err, name)
		require.Equal(t, "rotating", user, name)
	}
}

// Two sources of credentials are one too many.
func TestOptions_Credentials_OfURLOrClient_AreRefused(t *testing.T) {
	opts := &Options{Credentials: func(context.Context) (string, string, error) { return "", "", errors.New("unused") }}
	for _, user := range []string{"user", "user:hunter2", ":hunter2"} {
		_, err := Open(t.Context(), "redis://"+user+"@localhost", opts)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, "exclude each other")
	}
	_, err := New(t.Context(), unconnected(t), opts)
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "the client given has its own")
}
