package redisstore

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// reply is an error reply of a server.
type reply string

func (r reply) Error() string { return string(r) }

func (reply) RedisError() {}

// The code of a reply decides, wherever the reply is wrapped and whatever else it says.
func TestTranslate_ByCode(t *testing.T) {
	reading, writing := operation{what: "reading x"}, operation{what: "writing x", write: true}
	for _, test := range []struct {
		op   operation
		err  error
		want error
	}{
		{writing, reply("READONLY You can't write against a read only replica."), core.ErrReadOnly},
		{writing, reply("NOREPLICAS Not enough good replicas to write."), core.ErrReadOnly},
		{writing, reply("NOPERM no permissions"), core.ErrReadOnly},
		{reading, reply("NOPERM no permissions"), core.ErrUnavailable},
		{reading, reply("MASTERDOWN Link with MASTER is down"), core.ErrUnavailable},
		{writing, reply("OOM command not allowed"), core.ErrReadOnly},
		{writing, reply("MISCONF Redis is configured to save RDB snapshots"), core.ErrReadOnly},
		{reading, reply("LOADING Redis is loading the dataset in memory"), core.ErrUnavailable},
		{reading, reply("CLUSTERDOWN The cluster is down"), core.ErrUnavailable},
		{reading, reply("BUSY Redis is busy running a script"), core.ErrUnavailable},
		{reading, reply("NOAUTH Authentication required."), core.ErrUnavailable},
		{reading, reply("WRONGPASS invalid username-password pair"), core.ErrUnavailable},
		{reading, reply("WRONGTYPE Operation against a key"), core.ErrCorrupt},
		{reading, fmt.Errorf("wrapped: %w", reply("WRONGTYPE Operation against a key")), core.ErrCorrupt},
		{writing, reply("ERR READONLY is not the code here"), core.ErrUnavailable},
		{writing, errors.New("READONLY is not a reply here"), core.ErrUnavailable},
		{reading, redis.ErrPoolTimeout, core.ErrUnavailable},
		{reading, redis.ErrClosed, core.ErrUnavailable},
		{reading, io.EOF, core.ErrUnavailable},
	} {
		err := new(database).translate(test.op, test.err)
		require.ErrorIs(t, err, test.want, test.err.Error())
		require.ErrorContains(t, err, "redisstore: "+test.op.what)
		var cause reply
		if errors.As(test.err, &cause) {
			require.ErrorAs(t, err, &cause, "the driver's error must be in reach")
		}
	}
}

// A server that is out of memory refuses writes, answers reads, keeps what it has, and takes writes again later.
func TestStore_ServerOutOfMemory_IsReadOnlyAndLosesNothing(t *testing.T) {
	ctx, client := t.Context(), clientFor(t, containers.StartRedis(t).URL)
	store, err := New(ctx, client, nil)
	require.NoError(t, err)
	segments, err := NewBigSegments(ctx, client, nil)
	require.NoError(t, err)
	data := []core.SerializedCollection{storetest.Flags(3, 1, 100)}
	require.NoError(t, store.Init(ctx, data))
	require.NoError(t, client.ConfigSet(ctx, "maxmemory", "1").Err())

	_, err = store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	require.ErrorIs(t, err, core.ErrReadOnly)
	require.ErrorContains(t, err, "maxmemory")
	require.True(t, redis.IsOOMError(cause(t, err)))
	require.ErrorIs(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 2, 100)}), core.ErrReadOnly)
	require.ErrorIs(t, store.Init(ctx, nil), core.ErrReadOnly)
	require.ErrorIs(t, segments.SetLastUpToDate(ctx, 1), core.ErrReadOnly)
	_, err = segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"h"}},
	})
	require.ErrorIs(t, err, core.ErrReadOnly)
	items, err := store.GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Equal(t, map[int]int{1: 3}, versions(t, items))
	hasNoKeys(t, client, "launchdarkly:$init:*")
	hasNoKeys(t, client, "launchdarkly:big_*")

	require.NoError(t, client.ConfigSet(ctx, "maxmemory", "0").Err())
	_, err = store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.NoError(t, segments.Close())
}

// cause returns the driver's reply in an error.
func cause(t *testing.T, err error) error {
	t.Helper()
	var reply redis.Error
	require.ErrorAs(t, err, &reply)
	return reply
}

// requireReadOnly expects that everything that writes is refused as read-only, and that reads go on.
func requireReadOnly(t *testing.T, client *redis.Client) {
	t.Helper()
	ctx := t.Context()
	store, err := New(ctx, client, nil)
	require.NoError(t, err)
	segments, err := NewBigSegments(ctx, client, nil)
	require.NoError(t, err)
	_, err = store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 9))
	require.ErrorIs(t, err, core.ErrReadOnly)
	require.ErrorIs(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 2, 100)}), core.ErrReadOnly)
	require.ErrorIs(t, store.Init(ctx, nil), core.ErrReadOnly)
	require.ErrorIs(t, segments.SetLastUpToDate(ctx, 1), core.ErrReadOnly)
	_, err = segments.ApplyPatch(ctx, core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1"})
	require.ErrorIs(t, err, core.ErrReadOnly)
	_, _, err = store.Get(ctx, core.Flags, "k")
	require.NoError(t, err)
	require.NoError(t, store.CheckAvailability(ctx))
	require.NoError(t, store.Close())
	require.NoError(t, segments.Close())
}

// A replica takes no writes; if it has lost its primary and must not serve old data, it takes no reads either.
func TestStore_Replica_IsReadOnly(t *testing.T) {
	ctx := t.Context()
	client := clientFor(t, containers.StartRedis(t, "--replicaof", "127.0.0.1 1").URL)
	requireReadOnly(t, client)

	require.NoError(t, client.ConfigSet(ctx, "replica-serve-stale-data", "no").Err())
	store, err := New(ctx, client, nil)
	require.NoError(t, err)
	require.ErrorIs(t, store.CheckAvailability(ctx), core.ErrUnavailable)
	require.NoError(t, store.Close())
}

// A primary without the replicas that it must have takes no writes.
func TestStore_TooFewReplicas_IsReadOnly(t *testing.T) {
	requireReadOnly(t, clientFor(t, containers.StartRedis(t, "--min-replicas-to-write", "1").URL))
}

// A user who may only read gets ErrReadOnly from writes.
func TestStore_ReadOnlyUser_IsReadOnly(t *testing.T) {
	server := containers.StartRedis(t)
	admin := clientFor(t, server.URL)
	require.NoError(t, admin.Do(t.Context(), "ACL", "SETUSER", "reader", "on", ">pw", "~launchdarkly:*",
		"+exists", "+get", "+hget", "+hgetall", "+smembers", "+multi", "+exec").Err())
	requireReadOnly(t, clientFor(t, "redis://reader:pw@"+server.Address))
}

// A server that was stopped and started again is used again, and was unavailable in between.
func TestStore_ServerRestarts_Reconnects(t *testing.T) {
	ctx, server := t.Context(), containers.StartRedis(t)
	store, err := Open(ctx, server.URL, nil)
	require.NoError(t, err)
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 1, 100)}))
	server.Stop(t)
	require.ErrorIs(t, store.CheckAvailability(ctx), core.ErrUnavailable)
	_, err = store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	require.ErrorIs(t, err, core.ErrUnavailable)
	server.Start(t)
	inited, err := store.Initialized(ctx)
	require.NoError(t, err)
	require.False(t, inited)
	result, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	require.True(t, result.Written)
	require.NoError(t, store.Close())
}
