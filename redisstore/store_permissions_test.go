package redisstore

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// documentedRule reads the rule for users from the package documentation.
func documentedRule(t testing.TB, prefix string) []any {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, rule, found := strings.Cut(strings.ReplaceAll(string(text), "\n//", "\n"), "\tresetkeys ")
	require.True(t, found)
	rule, _, _ = strings.Cut(rule, "\n\n")
	words := []any{}
	for word := range strings.FieldsSeq("resetkeys " + rule) {
		words = append(words, strings.NewReplacer("~P:", "~"+prefix+":", "&P:", "&"+prefix+":").Replace(word))
	}
	return words
}

// addUser gives a server a user to whom the documented rule and more applies.
func addUser(t testing.TB, admin redis.UniversalClient, name, prefix string, more ...any) {
	t.Helper()
	command := append([]any{"ACL", "SETUSER", name, "on", ">hunter2"}, documentedRule(t, prefix)...)
	require.NoError(t, admin.Do(t.Context(), append(command, more...)...).Err())
}

// useEverything calls every method of a store and a big segment store.
func useEverything(t *testing.T, store core.FeatureStoreCore, segments *BigSegments) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{collectionOf(core.Segments, 1, "old"), storetest.Flags(10, 1, 100)}))
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{collectionOf(core.Segments, 1, "new"), storetest.Flags(9, 1, 100)}))
	require.ErrorIs(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(10, 2, 2000)}), core.ErrTooLarge)
	_, err := store.Upsert(ctx, core.Segments, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	_, _, err = store.Get(ctx, core.Flags, "k")
	require.NoError(t, err)
	items, err := store.GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Len(t, items, 9)
	require.NoError(t, store.(core.AvailabilityChecker).CheckAvailability(ctx))
	watching, stop := context.WithCancel(ctx)
	require.ErrorIs(t, store.(core.Watcher).Watch(watching, func(core.Change) { stop() }), context.Canceled)
	_, err = store.(core.ItemsGetter).GetItems(ctx, core.Flags, []string{"k"})
	require.NoError(t, err)
	useBigSegments(t, segments)
}

func useBigSegments(t *testing.T, segments *BigSegments) {
	t.Helper()
	ctx := t.Context()
	applied, err := segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"a"}, Remove: []string{"b"}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	_, err = segments.Membership(ctx, "a")
	require.NoError(t, err)
	require.NoError(t, segments.SetLastUpToDate(ctx, 1))
	_, err = segments.Metadata(ctx)
	require.NoError(t, err)
}

// The permissions that the package documentation names are enough for everything on a single server.
func TestStore_DocumentedPermissions_AreEnough(t *testing.T) {
	server, opts := containers.StartRedis(t), Options{Prefix: "flags", MaxItemSize: 1000}
	addUser(t, clientFor(t, server.URL), "app", opts.Prefix)
	url := "redis://app:hunter2@" + server.Address
	segments, err := OpenBigSegments(t.Context(), url, &opts)
	require.NoError(t, err)
	useEverything(t, openAt(t, url, opts), segments)
	require.NoError(t, segments.Close())
}

// With what it says of Clusters, they are enough there too: for everything under a prefix with a hash tag, and for big segments
// and reading under any.
func TestStore_Cluster_DocumentedPermissions_AreEnough(t *testing.T) {
	ctx, all := t.Context(), containers.RedisCluster(t)
	for _, prefix := range []string{storetest.Prefix(), "{" + storetest.Prefix() + "}"} {
		user := strings.Trim(prefix, "{}")
		for address := range strings.SplitSeq(strings.TrimPrefix(all, "redis+cluster://"), ",") {
			admin := clientFor(t, "redis://"+address)
			addUser(t, admin, user, prefix, "+cluster|slots", "+asking", "+time")
			t.Cleanup(func() { admin.Do(context.Background(), "ACL", "DELUSER", user) })
		}
		url, opts := strings.Replace(all, "://", "://"+user+":hunter2@", 1), Options{Prefix: prefix, MaxItemSize: 1000}
		store, err := Open(ctx, url, &opts)
		require.NoError(t, err)
		segments, err := OpenBigSegments(ctx, url, &opts)
		require.NoError(t, err)
		if store.spread {
			_, err := store.GetAll(ctx, core.Flags)
			require.NoError(t, err)
			useBigSegments(t, segments)
		} else {
			useEverything(t, store, segments)
		}
		require.NoError(t, store.Close())
		require.NoError(t, segments.Close())
	}
}

// A server that cannot be asked for permissions in advance, as those before Redis 7, loses nothing when it refuses a command.
func TestScripts_CommandRefusedBeforeRedis7_ChangeNothing(t *testing.T) {
	server, ctx := containers.StartRedis(t), t.Context()
	const mark, live, staged = "launchdarkly:$inited", "launchdarkly:features", "launchdarkly:$init:id:features"
	const unaware = "local redis = setmetatable({acl_check_cmd = false}, {__index = redis})\n"
	for _, denied := range []string{"rename", "persist", "unlink"} {
		admin, store, _ := restricted(t, server, Options{}, aclToWrite)
		run := func(source string, keys []string, args ...any) error {
			require.NoError(t, admin.HSet(ctx, staged, "new", "{}").Err())
			require.NoError(t, admin.Expire(ctx, staged, time.Minute).Err())
			_, err := runScript(ctx, store.client, newScript(unaware+source), keys, args...)
			return err
		}
		put := func() error { return run(swapSource, []string{mark, live, staged}, 1, 1) }
		require.NoError(t, admin.Do(ctx, "acl", "setuser", "app", "-"+denied).Err())
		require.NoError(t, admin.FlushAll(ctx).Err())
		require.NoError(t, admin.HSet(ctx, live, "old", "{}").Err())
		require.Error(t, put(), "without %s", denied)
		require.Equal(t, map[string]string{"old": "{}"}, admin.HGetAll(ctx, live).Val(), "without %s", denied)
		require.Zero(t, admin.Exists(ctx, mark).Val(), "without %s", denied)
		require.Positive(t, admin.TTL(ctx, staged).Val(), "without %s", denied)

		require.NoError(t, admin.Do(ctx, "acl", "setuser", "app", "+"+denied).Err())
		require.NoError(t, put())
		require.Equal(t, map[string]string{"new": "{}"}, admin.HGetAll(ctx, live).Val())
		require.Negative(t, admin.TTL(ctx, live).Val())
	}
}
