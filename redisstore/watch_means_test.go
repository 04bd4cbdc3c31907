package redisstore

import (
	"context"
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

const (
	// aclPassword must appear nowhere.
	aclPassword = "correct-horse"

	// The rules of the package documentation.
	aclToWrite = "~launchdarkly:* +eval +evalsha +exec +exists +get +hget +hgetall +hlen +hset +multi " +
		"+persist +pexpire +rename +sadd +scard +set +smembers +srem +type +unlink"
	aclToWatch = "&launchdarkly:$changes +client|tracking +publish +subscribe"
)

// restricted empties a server, makes a user who may do what the rules say, and opens two stores as that user.
func restricted(
	t *testing.T, server *containers.RedisServer, opts Options, rules string,
) (admin *redis.Client, store, other *Store) {
	t.Helper()
	admin = clientFor(t, server.URL)
	require.NoError(t, admin.FlushAll(t.Context()).Err())
	args := []any{"acl", "setuser", "app", "reset", "on", ">" + aclPassword}
	for _, rule := range strings.Fields(rules) {
		args = append(args, rule)
	}
	require.NoError(t, admin.Do(t.Context(), args...).Err())
	url := "redis://app:" + aclPassword + "@" + server.Address
	stores := make([]*Store, 2)
	for i := range stores {
		var err error
		stores[i], err = Open(t.Context(), url, &opts)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, stores[i].Close()) })
	}
	return admin, stores[0], stores[1]
}

// Whatever a server allows is made use of, and what is made use of is logged. A user who may not publish can still write.
func TestStore_Watch_MeansThatTheServerAllows(t *testing.T) {
	server := containers.StartRedis(t)
	foreign := func(t *testing.T, admin *redis.Client) {
		require.NoError(t, admin.HSet(t.Context(), "launchdarkly:features", "f", "{}").Err())
	}
	for _, test := range []struct {
		name, rules   string
		notifications string
		level         slog.Level
		log           string
		wrote         core.Change // after an upsert
		foreign       bool        // writes are told
	}{
		{
			name: "everything", rules: aclToWatch, level: slog.LevelDebug,
			log: "by=\"client tracking and cleat's channel\"", wrote: flagChange("a"), foreign: true,
		},
		{
			name: "no channels", rules: "+subscribe +publish +client|tracking",
			log: `by="client tracking"`, wrote: flagChange(""), foreign: true,
		},
		{
			name: "no tracking, notifications", rules: "allchannels +publish +subscribe", notifications: "Kh",
			log: "by=\"keyspace notifications and cleat's channel\"", wrote: flagChange("a"), foreign: true,
		},
		{
			name: "no tracking, notifications known to be on", notifications: "AKE",
			rules: "allchannels +publish +subscribe +config|get",
			log:   "by=\"keyspace notifications and cleat's channel\"", wrote: flagChange("a"), foreign: true,
		},
		{
			name: "notifications alone", rules: "&__keyspace@0__:* +subscribe", notifications: "KA",
			log: `by="keyspace notifications"`, wrote: flagChange(""), foreign: true,
		},
		{
			name: "no tracking, no notifications", rules: "allchannels +publish +subscribe +config|get",
			log: `by="cleat's channel"`, wrote: flagChange("a"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := make(warnings, 100)
			logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: test.level}))
			admin, store, other := restricted(t, server, Options{Logger: logger}, aclToWrite+" "+test.rules)
			require.NoError(t, admin.ConfigSet(t.Context(), "notify-keyspace-events", test.notifications).Err())
			w := watchStore(t, store)
			log.await(t, test.log)
			upsert(t, other, core.Flags, "a", 1)
			w.want(test.wrote)
			w.quiet()
			if foreign(t, admin); test.foreign {
				w.want(flagChange(""))
			}
			w.quiet()
			require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{storetest.Flags(1, 1, 50)}))
			if strings.Contains(test.log, "channel") || strings.Contains(test.log, "tracking") {
				w.want(core.Change{})
			} else {
				w.drain()
			}
			w.quiet()
			set, err := admin.ConfigGet(t.Context(), "notify-keyspace-events").Result()
			require.NoError(t, err)
			require.Len(t, set["notify-keyspace-events"], len(test.notifications), "the configuration is left alone")
		})
	}
}

// A user who may not watch at all is told so, and once it may, a new watch does.
func TestStore_Watch_NothingAllowed_IsUnavailable(t *testing.T) {
	admin, store, other := restricted(t, containers.StartRedis(t), Options{}, aclToWrite)
	err := store.Watch(t.Context(), func(core.Change) { t.Error("a change") })
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "launchdarkly:*")
	require.NotContains(t, err.Error(), aclPassword)
	var reply redis.Error
	require.ErrorAs(t, err, &reply)
	upsert(t, other, core.Flags, "a", 1)

	require.NoError(t, admin.Do(t.Context(), "acl", "setuser", "app", "+client|tracking").Err())
	w := watchStore(t, store)
	upsert(t, other, core.Flags, "a", 2)
	w.want(flagChange(""))
}

// A client of a kind that is not known cannot be watched.
func TestStore_Watch_UnknownClient_IsInvalid(t *testing.T) {
	store, err := New(t.Context(), struct{ redis.UniversalClient }{bareClient(t)}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, store.Watch(t.Context(), func(core.Change) {}), core.ErrInvalid)
	require.NoError(t, store.Close())
}

// A caller's client keeps its hook and its own handling of notices, whatever protocol it speaks.
func TestStore_Watch_CallersClient_IsLeftAsItIs(t *testing.T) {
	ctx, prefix := t.Context(), storetest.Prefix()
	for _, protocol := range []int{2, 3} {
		settings := *bareClient(t).Options()
		hooked := make(chan struct{}, 100)
		settings.Protocol, settings.PushNotificationProcessor = protocol, nil
		settings.DB = 5
		settings.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
			hooked <- struct{}{}
			return conn.Ping(ctx).Err()
		}
		client := redis.NewClient(&settings)
		store, err := New(ctx, client, &Options{Prefix: prefix})
		require.NoError(t, err)
		w := watchStore(t, store)
		<-hooked
		upsert(t, store, core.Flags, "a", protocol)
		w.want(flagChange("a"))
		require.NoError(t, client.HSet(ctx, prefix+":features", "b", "{}").Err())
		w.want(flagChange(""))
		require.NoError(t, store.Close())
		require.Equal(t, protocol, client.Options().Protocol)
		require.Nil(t, client.GetPushNotificationHandler("invalidate"))
		require.NoError(t, client.Close())
	}
}

// A server that knows neither the new protocol nor tracking nor questions about its configuration, as old ones and proxies,
// is watched by what is left.
func TestStore_Watch_OldServer_UsesNotificationsAndTheChannel(t *testing.T) {
	server := containers.StartRedis(t, "--notify-keyspace-events", "KA",
		"--rename-command", "HELLO", "", "--rename-command", "CLIENT", "", "--rename-command", "CONFIG", "")
	log := make(warnings, 100)
	store, err := Open(t.Context(), server.URL, &Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	w := watchStore(t, store)
	log.await(t, "by=\"keyspace notifications and cleat's channel\"")
	upsert(t, store, core.Flags, "a", 1)
	w.want(flagChange("a"))
	client := clientFor(t, server.URL)
	require.NoError(t, client.HSet(t.Context(), "launchdarkly:features", "b", "{}").Err())
	w.want(flagChange(""))
	require.NoError(t, client.Set(t.Context(), "launchdarkly:$inited", "", 0).Err())
	w.want(core.Change{})
	server.Stop(t)
	log.await(t, "cannot be seen until")
	server.Start(t)
	w.wantEventually(core.Change{})
}

// What writers say on the channel is part of the layout.
func TestStore_Writes_TellOnTheChannel(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), "a:b:"+storetest.Prefix()
	for _, opts := range []Options{{Prefix: prefix}, {NoPrefix: true}} {
		store := openStore(t, opts)
		sub := client.Subscribe(ctx, keys{opts.Prefix}.changes())
		_, err := sub.Receive(ctx)
		require.NoError(t, err)
		require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(1, 1, 50)}))
		upsert(t, store, core.Segments, "s", 1)
		upsert(t, store, core.Flags, "a:b", 1)
		upsert(t, store, "my.kind-1", "$x", 1)
		for _, want := range []string{":", "segments:s", "features:a:b", "my.kind-1:$x"} {
			message, err := sub.ReceiveMessage(ctx)
			require.NoError(t, err)
			require.Equal(t, want, message.Payload)
		}
		require.NoError(t, sub.Close())
	}
	require.Equal(t, prefix+":$changes", keys{prefix}.changes())
	require.Equal(t, "$changes", keys{""}.changes())
}

// A user who may not ask for a sign of life gets one all the same: the refusal.
func TestStore_Watch_UserMayNotPing_GoesOn(t *testing.T) {
	t.Parallel()
	_, store, other := restricted(t, containers.StartRedis(t), Options{},
		aclToWrite+" "+aclToWatch)
	w := watchStore(t, store)
	select {
	case c := <-w.changes:
		require.FailNow(t, "the watch began again", "%+v", c)
	case <-time.After(pingInterval + time.Second):
	}
	upsert(t, other, core.Flags, "a", 1)
	w.want(flagChange("a"))
}
