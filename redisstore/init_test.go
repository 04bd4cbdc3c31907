package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// afterStaging is a hook that calls a function when the first batch of an Init has been staged.
type afterStaging struct {
	once sync.Once
	call func()
}

func (h *afterStaging) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *afterStaging) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h *afterStaging) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return cmd.Name() == "hset" }) {
			h.once.Do(h.call)
		}
		return err
	}
}

// storeWithHook makes a store whose Init calls f after its first batch.
func storeWithHook(t *testing.T, opts Options, f func()) *Store {
	t.Helper()
	client := bareClient(t)
	client.AddHook(&afterStaging{call: f})
	store, err := New(t.Context(), client, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func versions(t testing.TB, items []core.KeyedSerializedItem) map[int]int {
	t.Helper()
	counts := map[int]int{}
	for _, keyed := range items {
		parsed, err := keyed.Item.Parse(core.Flags, keyed.Key)
		require.NoError(t, err)
		counts[parsed.Version()]++
	}
	return counts
}

// Readers see the old items or the new ones, never a mixture, nothing, or an uninitialised store.
func TestStore_Init_ReadersSeeOldOrNew(t *testing.T) {
	ctx, prefix := t.Context(), storetest.Prefix()
	store, reader := openStore(t, Options{Prefix: prefix}), openStore(t, Options{Prefix: prefix})
	const count = 10_000
	dataOf := func(version int) []core.SerializedCollection {
		data := storetest.Flags(count, version, 200)
		big := fmt.Appendf(nil, `{"version":%d,"big":%q}`, version, strings.Repeat("y", 5<<20))
		data.Items = append(data.Items,
			core.KeyedSerializedItem{Key: "big", Item: core.SerializedItem{Version: version, Data: big}})
		return []core.SerializedCollection{data}
	}
	require.NoError(t, store.Init(ctx, dataOf(1)))

	finished := make(chan struct{})
	var readers sync.WaitGroup
	reads := make([]int, 2)
	for i := range reads {
		readers.Go(func() {
			for done := false; !done; reads[i]++ {
				select {
				case <-finished:
					done = true
				default:
				}
				items, err := reader.GetAll(ctx, core.Flags)
				if err != nil || len(items) != count+1 || len(versions(t, items)) != 1 {
					t.Errorf("GetAll: %d items, %v", len(items), err)
					return
				}
				if inited, err := reader.Initialized(ctx); err != nil || !inited {
					t.Errorf("Initialized: %v, %v", inited, err)
					return
				}
			}
		})
	}
	for version := 2; version <= 4; version++ {
		require.NoError(t, store.Init(ctx, dataOf(version)))
	}
	close(finished)
	readers.Wait()
	require.Positive(t, reads[0]+reads[1])
	hasNoKeys(t, bareClient(t), prefix+":$init:*")
}

// An Init replaces the built-in kinds and those that it is given, and touches nothing else.
func TestStore_Init_TouchesItsKindsOnly(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	others := []string{
		prefix + ":big_segments_cursor", prefix + ":big_segment_include:h", prefix + "2:features", prefix + ":a:features",
		prefix + ":custom", prefix + "::features",
	}
	for _, key := range others {
		require.NoError(t, client.HSet(ctx, key, "k", "v").Err())
	}
	require.NoError(t, client.HSet(ctx, prefix+":features", "old", "v").Err())
	require.NoError(t, client.HSet(ctx, prefix+":given", "old", "v").Err())
	store := openStore(t, Options{Prefix: prefix})
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{
		{Kind: "given", Items: []core.KeyedSerializedItem{{Key: "a", Item: storetest.Item("a", 1)}}},
		{Kind: core.Segments, Items: []core.KeyedSerializedItem{{Key: "s", Item: storetest.Item("s", 1)}}},
		{Kind: "given", Items: []core.KeyedSerializedItem{{Key: "b", Item: storetest.Item("b", 1)}}},
	}))
	for _, key := range others {
		require.Equal(t, map[string]string{"k": "v"}, client.HGetAll(ctx, key).Val(), key)
	}
	require.Zero(t, client.Exists(ctx, prefix+":features").Val())
	require.ElementsMatch(t, []string{"a", "b"}, client.HKeys(ctx, prefix+":given").Val())
	require.Equal(t, []string{"s"}, client.HKeys(ctx, prefix+":segments").Val())
}

// Concurrent Inits do not mix.
func TestStore_Init_Concurrent_OneWinsWhole(t *testing.T) {
	ctx, prefix := t.Context(), storetest.Prefix()
	var writers sync.WaitGroup
	for version := range 8 {
		store := openStore(t, Options{Prefix: prefix})
		writers.Go(func() {
			if err := store.Init(ctx, []core.SerializedCollection{storetest.Flags(3000, version+1, 100)}); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	items, err := openStore(t, Options{Prefix: prefix}).GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Len(t, items, 3000)
	require.Len(t, versions(t, items), 1)
	hasNoKeys(t, bareClient(t), prefix+":$init:*")
}

// An upsert before the swap is replaced, one after it stays.
func TestStore_Init_UpsertMeanwhile_IsReplacedAsIfBefore(t *testing.T) {
	ctx, prefix := t.Context(), storetest.Prefix()
	other := openStore(t, Options{Prefix: prefix})
	store := storeWithHook(t, Options{Prefix: prefix}, func() {
		result, err := other.Upsert(ctx, core.Flags, "flag-00000", storetest.Item("flag-00000", 99))
		require.NoError(t, err)
		require.True(t, result.Written)
	})
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 5, 100)}))
	items, err := other.GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Equal(t, map[int]int{5: 3}, versions(t, items))
	result, err := other.Upsert(ctx, core.Flags, "flag-00000", storetest.Item("flag-00000", 6))
	require.NoError(t, err)
	require.True(t, result.Written)
}

// What is staged expires, shares the prefix, and is removed when the Init's context ends.
func TestStore_Init_Cancelled_ChangesNothingAndCleansUp(t *testing.T) {
	client, prefix := bareClient(t), storetest.Prefix()
	ctx, cancel := context.WithCancel(t.Context())
	before := openStore(t, Options{Prefix: prefix})
	require.NoError(t, before.Init(t.Context(), []core.SerializedCollection{storetest.Flags(3, 1, 100)}))
	store := storeWithHook(t, Options{Prefix: prefix}, func() {
		staged := client.Keys(t.Context(), prefix+":$init:*").Val()
		require.Len(t, staged, 1)
		ttl := client.TTL(t.Context(), staged[0]).Val()
		require.Positive(t, ttl)
		require.LessOrEqual(t, ttl, stagedLifetime)
		cancel()
	})
	require.Equal(t, context.Canceled, store.Init(ctx, []core.SerializedCollection{storetest.Flags(5000, 2, 1000)}))
	require.NoError(t, store.Close())
	hasNoKeys(t, client, prefix+":$init:*")
	items, err := before.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Equal(t, map[int]int{1: 3}, versions(t, items))
}

// Staged items that were evicted fail the Init and change nothing.
func TestStore_Init_StagedItemsVanish_ChangesNothing(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := storeWithHook(t, Options{Prefix: prefix}, func() {
		require.NoError(t, client.Del(ctx, client.Keys(ctx, prefix+":$init:*").Val()...).Err())
	})
	require.NoError(t, client.HSet(ctx, prefix+":segments", "k", "v").Err())
	err := store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 2, 100)})
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.Equal(t, "v", client.HGet(ctx, prefix+":segments", "k").Val())
	require.Zero(t, client.Exists(ctx, prefix+":$inited").Val())
}

// An item over the limit is reported and keeps its stored version; everything else is stored.
func TestStore_Init_ItemTooLarge_StopsNothingElse(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := openStore(t, Options{Prefix: prefix, MaxItemSize: 100})
	for _, key := range []string{"large", "gone"} {
		_, err := store.Upsert(ctx, core.Flags, key, storetest.Item(key, 1))
		require.NoError(t, err)
	}
	oversized := core.SerializedItem{Version: 2, Data: []byte(`{"version":2,"x":"` + strings.Repeat("x", 100) + `"}`)}
	err := store.Init(ctx, []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
		{Key: "large", Item: oversized}, {Key: "large and new", Item: oversized}, {Key: "small", Item: storetest.Item("small", 2)},
	}}})
	require.ErrorIs(t, err, core.ErrTooLarge)
	var about *core.ItemError
	require.ErrorAs(t, err, &about)
	require.Equal(t, "large", about.Key)
	require.Equal(t, len(oversized.Data), about.Size)
	require.Equal(t, map[string]string{"large": `{"key":"large","version":1}`, "small": `{"key":"small","version":2}`},
		client.HGetAll(ctx, prefix+":features").Val())
	require.EqualValues(t, -1, client.TTL(ctx, prefix+":features").Val().Nanoseconds())
	inited, err := store.Initialized(ctx)
	require.NoError(t, err)
	require.True(t, inited)

	_, err = store.Upsert(ctx, core.Flags, "large", oversized)
	require.ErrorIs(t, err, core.ErrTooLarge)
}

// A user who may not rename keys cannot initialise, and finds nothing half done.
func TestStore_Init_WithoutPermission_ChangesNothing(t *testing.T) {
	ctx, admin, prefix := t.Context(), bareClient(t), storetest.Prefix()
	user := "user-" + prefix
	require.NoError(t, admin.Do(ctx, "ACL", "SETUSER", user, "on", ">pw", "~"+prefix+":*", "+@all", "-rename").Err())
	t.Cleanup(func() { admin.Do(context.Background(), "ACL", "DELUSER", user) })
	require.NoError(t, admin.HSet(ctx, prefix+":features", "k", "old").Err())
	options := *admin.Options()
	options.Username, options.Password = user, "pw"
	client := redis.NewClient(&options)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	store, err := New(ctx, client, &Options{Prefix: prefix})
	require.NoError(t, err)
	require.ErrorIs(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 1, 100)}), core.ErrReadOnly)
	require.NoError(t, store.Close())
	require.Equal(t, map[string]string{"k": "old"}, admin.HGetAll(ctx, prefix+":features").Val())
	require.Zero(t, admin.Exists(ctx, prefix+":$inited").Val())
	hasNoKeys(t, admin, prefix+":$init:*")
}
