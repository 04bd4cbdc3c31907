package redisstore

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// sentinelClient is the driver alone, on the primary that the Sentinels of a URL name.
func sentinelClient(t testing.TB, url string) *redis.Client {
	t.Helper()
	hosts, name, _ := strings.Cut(strings.TrimPrefix(url, "redis+sentinel://"), "/")
	client := redis.NewFailoverClient(&redis.FailoverOptions{SentinelAddrs: strings.Split(hosts, ","), MasterName: name})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// openAt opens a store that is closed at the end of the test.
func openAt(t testing.TB, url string, opts Options) *Store {
	t.Helper()
	store, err := Open(t.Context(), url, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// Keys are the same however many Sentinels a URL lists, and whether one of them is there or not.
func TestOpen_AnyNumberOfSentinels_SameKeys(t *testing.T) {
	ctx, all, prefix := t.Context(), containers.RedisSentinel(t), storetest.Prefix()
	client := sentinelClient(t, all)
	hosts, name, _ := strings.Cut(strings.TrimPrefix(all, "redis+sentinel://"), "/")
	sentinels := strings.Split(hosts, ",")
	for version, listed := range [][]string{sentinels[:1], sentinels[:2], sentinels, {"127.0.0.1:1", sentinels[2]}} {
		store := openAt(t, "redis+sentinel://"+strings.Join(listed, ",")+"/"+name+"/0", Options{Prefix: prefix})
		require.NoError(t, store.Init(ctx, nil))
		_, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", version+1))
		require.NoError(t, err)
		require.Equal(t, string(storetest.Item("k", version+1).Data), client.HGet(ctx, prefix+":features", "k").Val())
		require.ElementsMatch(t, []string{prefix + ":features", prefix + ":$inited"}, client.Keys(ctx, prefix+"*").Val())
	}
}

// When the primary dies, the store is unavailable until another server has taken its place, which is then used.
func TestStore_SentinelPrimaryDies_SuccessorIsUsed(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	ctx, servers := t.Context(), containers.StartRedisSentinel(t)
	store, err := Open(ctx, servers.URL, nil)
	require.NoError(t, err)
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 1, 60)}))
	require.NoError(t, clientFor(t, servers.Primary.URL).Do(ctx, "WAIT", 1, 5000).Err())
	servers.Primary.Stop(t)
	begin := time.Now()
	for range 3 {
		_, upsertErr := store.Upsert(ctx, core.Flags, "flag-00000", storetest.Item("flag-00000", 2))
		for _, err := range []error{store.CheckAvailability(ctx), upsertErr} {
			if err != nil { // on a busy machine, the successor may be there already
				require.ErrorIs(t, err, core.ErrUnavailable)
			}
		}
	}
	require.Less(t, time.Since(begin), 3*soon)
	require.Eventually(t, func() bool {
		_, err := store.Upsert(ctx, core.Flags, "flag-00000", storetest.Item("flag-00000", 2))
		return err == nil
	}, 30*time.Second, 20*time.Millisecond)
	items, err := store.GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Equal(t, map[int]int{1: 2, 2: 1}, versions(t, items))
	initialized, err := store.Initialized(ctx)
	require.NoError(t, err)
	require.True(t, initialized)
	require.NoError(t, store.Close())
}

// A primary that was made a replica says so, or cuts the connection, and its successor is used.
func TestStore_SentinelPrimaryIsReplaced_IsReadOnlyForAMoment(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	ctx, servers := t.Context(), containers.StartRedisSentinel(t)
	store := openAt(t, servers.URL, Options{})
	_, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: servers.Sentinels[0].Address})
	t.Cleanup(func() { require.NoError(t, sentinel.Close()) })
	require.NoError(t, sentinel.Failover(ctx, servers.Name).Err())
	version := 1
	require.Eventually(t, func() bool {
		version++
		_, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", version))
		if err != nil && !errors.Is(err, core.ErrReadOnly) {
			require.ErrorIs(t, err, core.ErrUnavailable)
		}
		return err == nil && servers.ReportedPrimary(t, servers.Sentinels[0]) == servers.Replica.Address
	}, 30*time.Second, 10*time.Millisecond)
	successor := clientFor(t, servers.Replica.URL)
	require.Eventually(t, func() bool {
		version++
		_, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", version))
		return err == nil && successor.HGet(ctx, "launchdarkly:features", "k").Val() == string(storetest.Item("k", version).Data)
	}, 30*time.Second, 10*time.Millisecond)

	// One who holds on to the old primary learns that it is no longer one.
	old := clientFor(t, servers.Primary.URL)
	require.Eventually(t, func() bool {
		return strings.Contains(old.Info(ctx, "replication").Val(), "role:slave")
	}, 30*time.Second, 50*time.Millisecond)
	direct, err := New(ctx, old, nil)
	require.NoError(t, err)
	_, err = direct.Upsert(ctx, core.Flags, "other", storetest.Item("other", 1))
	require.ErrorIs(t, err, core.ErrReadOnly)
	require.NoError(t, direct.Close())
}

// Sentinels may have a password of their own. Neither a wrong one nor an unknown name is repeated.
func TestOpen_SentinelRefuses_SaysWhyWithoutSecrets(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	ctx, servers := t.Context(), containers.StartRedisSentinel(t, "requirepass hunter2")
	require.NoError(t, openAt(t, servers.URL+"?sentinel_password=hunter2", Options{}).CheckAvailability(ctx))
	for url, want := range map[string]string{
		servers.URL + "?sentinel_password=hunter3": "check the user name and the password",
		servers.URL: "check the user name and the password",
		servers.URL + "-not?sentinel_password=hunter2":                   "know no primary of that name",
		"redis+sentinel://u:hunter2@127.0.0.1:1,127.0.0.1:2/mymaster":    "refused",
		"rediss+sentinel://u:hunter2@" + servers.Primary.Address + "/my": "", // which may be an answer in plain text or none
	} {
		err := openAt(t, url, Options{}).CheckAvailability(ctx)
		require.ErrorIs(t, err, core.ErrUnavailable, url)
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "hunter", url)
	}
}

// One Sentinel that is down or never answers, wherever a URL lists it, keeps no client from the primary that the others name.
func TestOpen_OneSentinelIsLost_OthersAreAsked(t *testing.T) {
	ctx, all := t.Context(), containers.RedisSentinel(t)
	hosts, name, _ := strings.Cut(strings.TrimPrefix(all, "redis+sentinel://"), "/")
	working := strings.Split(hosts, ",")[1:]
	for what, lost := range map[string]string{
		"down": "127.0.0.1:1", "mute": storetest.Mute(t),
	} {
		for place := range 3 {
			listed := slices.Insert(slices.Clone(working), place, lost)
			opts := Options{Prefix: storetest.Prefix()}
			begin := time.Now()
			store, err := Open(ctx, "redis+sentinel://"+strings.Join(listed, ",")+"/"+name, &opts)
			require.NoError(t, err)
			_, found, err := store.Get(ctx, core.Flags, "k")
			require.NoError(t, err, "%s at %d, after %v", what, place, time.Since(begin))
			require.False(t, found)
			require.Less(t, time.Since(begin), soon/2, "%s at %d", what, place)
			_, err = store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
			require.NoError(t, err)
			require.NoError(t, store.Close())
			require.Less(t, time.Since(begin), soon, "%s at %d", what, place)
		}
	}
}

// A Sentinel that stops answering, or is lost, while it is in use is replaced by one of those that it told of.
func TestStore_SentinelInUseIsLost_OthersAreAsked(t *testing.T) {
	ctx, all := t.Context(), containers.RedisSentinel(t)
	hosts, name, _ := strings.Cut(strings.TrimPrefix(all, "redis+sentinel://"), "/")
	for what, lose := range map[string]func(*storetest.Proxy){
		"hangs": func(p *storetest.Proxy) { p.Infect(storetest.Hang) },
		"down":  (*storetest.Proxy).Stop,
	} {
		used := storetest.StartProxy(t, strings.Split(hosts, ",")[0])
		url := "redis+sentinel://" + used.Address() + "/" + name + "?client_name=" + rand.Text()
		store := openAt(t, url, Options{Prefix: storetest.Prefix()})
		require.NoError(t, store.CheckAvailability(ctx))
		lose(used)
		for range 3 {
			dropConnections(t, sentinelClient(t, all), store) // so that the primary has to be found again
			begin := time.Now()
			require.NoError(t, store.CheckAvailability(ctx), "%s: after %v", what, time.Since(begin))
			require.Less(t, time.Since(begin), soon/2)
		}
		require.NoError(t, store.Close())
	}
}

// dropConnections has a server close the connections of a store's client, which has a name.
func dropConnections(t *testing.T, admin *redis.Client, store *Store) {
	t.Helper()
	dropped := 0
	for line := range strings.Lines(admin.ClientList(t.Context()).Val()) {
		if id, _, _ := strings.Cut(line, " "); strings.Contains(line, "name="+store.client.(*redis.Client).Options().ClientName) {
			require.NoError(t, admin.ClientKillByFilter(t.Context(), "ID", strings.TrimPrefix(id, "id=")).Err())
			dropped++
		}
	}
	require.Positive(t, dropped)
}

// Sentinels that never answer cost the time-out and no more, and Close ends what waits for them.
func TestStore_MuteSentinel_TimesOut(t *testing.T) {
	url := "redis+sentinel://" + storetest.Mute(t) + "/mymaster"
	store := openAt(t, url+"?dial_timeout=100ms", Options{})
	begin := time.Now()
	require.ErrorIs(t, store.CheckAvailability(t.Context()), core.ErrUnavailable)
	_, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.NoError(t, store.Close())
	require.Less(t, time.Since(begin), soon)
}
