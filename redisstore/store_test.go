package redisstore

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// A flag is in the hash P:features under its own key.
func TestStore_Layout_MatchesGoldenKeys(t *testing.T) {
	for name, test := range map[string]struct {
		options                   Options
		features, segments, inits string
	}{
		"default":   {Options{}, "launchdarkly:features", "launchdarkly:segments", "launchdarkly:$inited"},
		"no prefix": {Options{NoPrefix: true}, "features", "segments", "$inited"},
		"own":       {Options{Prefix: "a:b{c}"}, "a:b{c}:features", "a:b{c}:segments", "a:b{c}:$inited"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, client := t.Context(), bareClient(t)
			t.Cleanup(func() { client.Del(ctx, test.features, test.segments, test.inits) })
			store := openStore(t, test.options)
			require.NoError(t, store.Init(ctx, []core.SerializedCollection{
				{Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "f", Item: storetest.Item("f", 1)}}},
				{Kind: core.Segments, Items: []core.KeyedSerializedItem{{Key: "s", Item: storetest.Item("s", 2)}}},
			}))
			require.Equal(t, storetest.Item("f", 1).Data, bytesOf(t, client, test.features, "f"))
			require.Equal(t, storetest.Item("s", 2).Data, bytesOf(t, client, test.segments, "s"))
			inited, err := client.Get(ctx, test.inits).Result()
			require.NoError(t, err)
			require.Empty(t, inited)
			require.EqualValues(t, -1, client.TTL(ctx, test.features).Val().Nanoseconds())
			require.EqualValues(t, -1, client.TTL(ctx, test.segments).Val().Nanoseconds())
		})
	}
}

// What another writer stored in the layout is read as it is.
func TestStore_Get_ReadsWhatTheBareDriverWrote(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := openStore(t, Options{Prefix: prefix})
	stored := `{"$unknown":[1,2],"version":9,"deleted":true}`
	require.NoError(t, client.HSet(ctx, prefix+":features", "k", stored).Err())
	got, found, err := store.Get(ctx, core.Flags, "k")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, stored, string(got.Data))
	all, err := store.GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Equal(t, []core.KeyedSerializedItem{{Key: "k", Item: core.SerializedItem{Data: []byte(stored)}}}, all)
}

// A missing key is not an error, an empty value is a value.
func TestStore_Get_MissingAndEmpty(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := openStore(t, Options{Prefix: prefix})
	_, found, err := store.Get(ctx, core.Flags, "none")
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, client.HSet(ctx, prefix+":features", "empty", "").Err())
	got, found, err := store.Get(ctx, core.Flags, "empty")
	require.NoError(t, err)
	require.True(t, found)
	require.Empty(t, got.Data)
}

// Keys are stored byte for byte.
func TestStore_Upsert_UnusualKeys(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := openStore(t, Options{Prefix: prefix})
	for _, key := range []string{
		":", "a:b", "a/b", "*", " ", "a b", "\n", "\x00", "\xff\xfe", "ключ🗝", "{x}", strings.Repeat("k", 10<<10),
	} {
		result, err := store.Upsert(ctx, core.Flags, key, storetest.Item("k", 1))
		require.NoError(t, err, "%q", key)
		require.True(t, result.Written, "%q", key)
		require.Equal(t, storetest.Item("k", 1).Data, bytesOf(t, client, prefix+":features", key), "%q", key)
	}
}

// A key of the wrong type is reported by name and left alone.
func TestStore_WrongType_IsCorruptAndNamesTheKey(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := openStore(t, Options{Prefix: prefix})
	require.NoError(t, client.Set(ctx, prefix+":features", "precious", 0).Err())
	_, _, getErr := store.Get(ctx, core.Flags, "k")
	_, allErr := store.GetAll(ctx, core.Flags)
	_, upsertErr := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	initErr := store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 1, 100)})
	for name, err := range map[string]error{"Get": getErr, "GetAll": allErr, "Upsert": upsertErr, "Init": initErr} {
		require.ErrorIs(t, err, core.ErrCorrupt, name)
		require.ErrorContains(t, err, prefix+":features", name)
	}
	require.Equal(t, "precious", client.Get(ctx, prefix+":features").Val())
	inited, err := store.Initialized(ctx)
	require.NoError(t, err)
	require.False(t, inited)
	hasNoKeys(t, client, prefix+":$init:*")
}

// Arguments that cannot be used are refused before anything is sent.
func TestStore_InvalidArguments_AreRefused(t *testing.T) {
	ctx := t.Context()
	store := openStore(t, Options{Prefix: storetest.Prefix()})
	var nilContext interface {
		core.FeatureStoreCore
	} = store
	_, _, err := store.Get(ctx, core.Flags, "")
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = store.GetAll(ctx, "no:kind")
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = store.Upsert(ctx, core.Flags, "k", core.SerializedItem{Version: 1})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorIs(t, store.Init(ctx, []core.SerializedCollection{{Kind: "no:kind"}}), core.ErrInvalid)
	{
		_, _, err = nilContext.Get(nil, core.Flags, "k")
		require.ErrorIs(t, err, core.ErrInvalid)
		_, err = nilContext.GetAll(nil, core.Flags)
		require.ErrorIs(t, err, core.ErrInvalid)
		_, err = nilContext.Upsert(nil, core.Flags, "k", storetest.Item("k", 1))
		require.ErrorIs(t, err, core.ErrInvalid)
		_, err = nilContext.Initialized(nil)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorIs(t, nilContext.Init(nil, nil), core.ErrInvalid)
		_, err = New(nil, bareClient(t), nil)
		require.ErrorIs(t, err, core.ErrInvalid)
		_, err = Open(nil, "redis://localhost", nil)
		require.ErrorIs(t, err, core.ErrInvalid)
	}
}

// Every operation is one exchange with the server.
func TestStore_Operations_TakeOneRoundTrip(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	warm := openStore(t, Options{Prefix: prefix})
	_, err := warm.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	require.NoError(t, warm.Init(ctx, nil))

	hook := &countingHook{}
	client.AddHook(hook)
	store, err := New(ctx, client, &Options{Prefix: prefix})
	require.NoError(t, err)
	segments, err := NewBigSegments(ctx, client, &Options{Prefix: prefix})
	require.NoError(t, err)
	_, err = segments.Membership(ctx, "h") // connects, as pipelines have connections of their own
	require.NoError(t, err)
	require.NoError(t, store.CheckAvailability(ctx))

	for _, test := range []struct {
		name string
		run  func() error
		want []string
	}{
		{"Get", func() error { _, _, err := store.Get(ctx, core.Flags, "k"); return err }, []string{"hget"}},
		{"GetAll", func() error { _, err := store.GetAll(ctx, core.Flags); return err }, []string{"hgetall"}},
		{"Upsert newer", func() error { _, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 2)); return err }, []string{"evalsha"}},
		{"Upsert same", func() error { _, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 2)); return err }, []string{"evalsha"}},
		{"Upsert older", func() error { _, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1)); return err }, []string{"evalsha"}},
		{"Initialized", func() error { _, err := store.Initialized(ctx); return err }, []string{"exists"}},
		{"CheckAvailability", func() error { return store.CheckAvailability(ctx) }, []string{"exists"}},
		{"GetItems", func() error { _, err := store.GetItems(ctx, core.Flags, []string{"k", "l"}); return err }, []string{"hmget"}},
		{"GetItems of none", func() error { _, err := store.GetItems(ctx, core.Flags, nil); return err }, nil},
		{"Init", func() error { return store.Init(ctx, []core.SerializedCollection{storetest.Flags(10, 1, 100)}) }, []string{"pipeline", "evalsha"}},
		{"Metadata", func() error { _, err := segments.Metadata(ctx); return err }, []string{"get"}},
		{"Membership", func() error { _, err := segments.Membership(ctx, "h"); return err }, []string{"pipeline"}},
	} {
		hook.commands = nil
		require.NoError(t, test.run(), test.name)
		require.Equal(t, test.want, hook.commands, test.name)
	}
	require.NoError(t, store.Close())
	require.NoError(t, segments.Close())
}

// The description has no secrets, hosts or prefixes in it.
func TestStore_DescribeConfiguration_NamesTheType(t *testing.T) {
	store := openStore(t, Options{Prefix: storetest.Prefix()})
	require.Equal(t, `"Redis"`, store.DescribeConfiguration(core.ClientConfiguration{}).JSONString())
}
