package dynamostore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// What is written is what the layout says, attribute by attribute, as the bare driver sees it.
func TestStore_Layout_IsLaunchDarklys(t *testing.T) {
	for prefix, n := range map[string]func(string) string{
		"":        func(name string) string { return name },
		"staging": func(name string) string { return "staging:" + name },
	} {
		client, table := bareClient(t), freshTable(t)
		store := openStore(t, table, Options{Prefix: prefix})
		segment := core.SerializedItem{Version: 3, Data: []byte(`{"key":"s","version":3}`)}
		require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{
			{Kind: core.Segments, Items: []core.KeyedSerializedItem{{Key: "s", Item: segment}}},
		}))
		_, err := store.Upsert(t.Context(), core.Flags, "f", core.NewTombstone(core.Flags, "f", 7).Serialized(core.Flags, "f"))
		require.NoError(t, err)

		require.Equal(t, attributes{
			"namespace": text(n("segments")), "key": text("s"), "version": number("3"), "item": text(`{"key":"s","version":3}`),
		}, rawItem(t, client, table, n("segments"), "s"))
		require.Equal(t, attributes{
			"namespace": text(n("features")), "key": text("f"), "version": number("7"),
			"item": text(`{"key":"f","on":false,"prerequisites":[],"targets":[],"contextTargets":[],"rules":[],"fallthrough":{},` +
				`"offVariation":null,"variations":[],"clientSide":false,"salt":"","trackEvents":false,"trackEventsFallthrough":false,` +
				`"debugEventsUntilDate":null,"version":7,"deleted":true}`),
		}, rawItem(t, client, table, n("features"), "f"))
		require.Equal(t, attributes{"namespace": text(n("$inited")), "key": text(n("$inited"))},
			rawItem(t, client, table, n("$inited"), n("$inited")))
		require.Equal(t, 1, count(t, client, table, n("segments")))
		require.Equal(t, 1, count(t, client, table, n("features")))
	}
}

// What another SDK or Relay Proxy wrote is understood.
func TestStore_Layout_OfOthersIsRead(t *testing.T) {
	client, table := bareClient(t), freshTable(t)
	store := openStore(t, table, Options{Prefix: "p"})
	putRaw(t, client, table, "p:features", "f", attributes{"version": number("12"), "item": text(`{"key":"f","version":12}`)})
	putRaw(t, client, table, "p:$inited", "p:$inited", nil)

	initialized, err := store.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
	got, found, err := store.Get(t.Context(), core.Flags, "f")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, core.SerializedItem{Version: 12, Data: []byte(`{"key":"f","version":12}`)}, got)
	result, err := store.Upsert(t.Context(), core.Flags, "f", storetest.Item("f", 11))
	require.NoError(t, err)
	require.Equal(t, core.UpsertResult{Item: got}, result)
}

func TestBigSegments_Layout_IsLaunchDarklys(t *testing.T) {
	client, table := bareClient(t), freshTable(t)
	store := openBigSegments(t, table, "p").(*BigSegments)
	defer func() { require.NoError(t, store.Close()) }()
	hash := core.BigSegmentContextHash("user")
	applied, err := store.ApplyPatch(t.Context(), core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "v1", Included: core.BigSegmentChanges{Add: []string{hash}},
		Excluded: core.BigSegmentChanges{Add: []string{hash, "other"}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	require.NoError(t, store.SetLastUpToDate(t.Context(), 1_700_000_000_123))

	require.Equal(t, attributes{
		"namespace": text("p:big_segments_metadata"), "key": text("p:big_segments_metadata"),
		"lastVersion": text("v1"), "synchronizedOn": number("1700000000123"),
	}, rawItem(t, client, table, "p:big_segments_metadata", "p:big_segments_metadata"))
	require.Equal(t, attributes{
		"namespace": text("p:big_segments_user"), "key": text(hash), "included": set("s.g1"), "excluded": set("s.g1"),
	}, rawItem(t, client, table, "p:big_segments_user", hash))

	applied, err = store.ApplyPatch(t.Context(), core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: "v1", Version: "v2",
		Excluded: core.BigSegmentChanges{Remove: []string{"other"}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	require.Equal(t, attributes{"namespace": text("p:big_segments_user"), "key": text("other")},
		rawItem(t, client, table, "p:big_segments_user", "other"), "no empty set stays")
}

func TestBigSegments_Layout_OfOthersIsRead(t *testing.T) {
	client, table := bareClient(t), freshTable(t)
	store := openBigSegments(t, table, "").(*BigSegments)
	defer func() { require.NoError(t, store.Close()) }()
	const meta = "big_segments_metadata"
	putRaw(t, client, table, meta, meta, attributes{"synchronizedOn": number("5"), "lastVersion": text("c")})
	putRaw(t, client, table, "big_segments_user", "h", attributes{"included": set("a.g1", "b.g1"), "excluded": set("b.g1", "c.g2")})

	metadata, err := store.Metadata(t.Context())
	require.NoError(t, err)
	require.Equal(t, core.BigSegmentMetadata{LastUpToDate: 5}, metadata)
	cursor, err := store.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, "c", cursor)
	membership, err := store.Membership(t.Context(), "h")
	require.NoError(t, err)
	require.True(t, membership.Equal(core.NewBigSegmentMembership([]string{"a.g1", "b.g1"}, []string{"c.g2"})))

	putRaw(t, client, table, meta, meta, attributes{"synchronizedOn": text("soon"), "lastVersion": number("1")})
	putRaw(t, client, table, "big_segments_user", "h", attributes{"included": text("a.g1")})
	_, err = store.Metadata(t.Context())
	require.ErrorIs(t, err, core.ErrCorrupt)
	_, err = store.Cursor(t.Context())
	require.ErrorIs(t, err, core.ErrCorrupt)
	_, err = store.Membership(t.Context(), "h")
	require.ErrorIs(t, err, core.ErrCorrupt)
	putRaw(t, client, table, meta, meta, attributes{"synchronizedOn": number("1.5")})
	_, err = store.Metadata(t.Context())
	require.ErrorIs(t, err, core.ErrCorrupt)
}
