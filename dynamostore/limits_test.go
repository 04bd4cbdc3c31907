package dynamostore

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// requireTooLarge expects an error about one item only, which names kind, key and size of the JSON.
func requireTooLarge(t *testing.T, err error, key string, size int) {
	t.Helper()
	require.ErrorIs(t, err, core.ErrTooLarge)
	items, only := core.ItemErrors(err)
	require.True(t, only)
	require.Len(t, items, 1)
	require.Equal(t, core.Flags, items[0].Kind)
	require.Equal(t, key, items[0].Key)
	require.Equal(t, size, items[0].Size)
}

// A flag of 402 KB is legal; one of 450 KB is refused, and neither hides behind "not updated" nor costs the version that
// was there.
func TestStore_LargeItems(t *testing.T) {
	table := freshTable(t)
	store := openStore(t, table, Options{})
	legal, tooLarge := storetest.Sized("k", 2, 402_000), storetest.Sized("k", 3, 450<<10)
	require.True(t, upsert(t, store, "legal", legal).Written)
	upsert(t, store, "big", storetest.Item("big", 1))

	result, err := store.Upsert(t.Context(), core.Flags, "big", tooLarge)
	requireTooLarge(t, err, "big", 450<<10)
	require.Zero(t, result)

	upsert(t, store, "leftover", storetest.Item("leftover", 1))
	err = store.Init(t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
		{Key: "a", Item: storetest.Item("a", 1)}, {Key: "big", Item: tooLarge}, {Key: "legal", Item: legal}, {Key: "z", Item: storetest.Item("z", 1)},
	}}})
	requireTooLarge(t, err, "big", 450<<10)
	require.Contains(t, err.Error(), `"big"`)
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.ElementsMatch(t, []core.KeyedSerializedItem{
		{Key: "a", Item: storetest.Item("a", 1)}, {Key: "big", Item: storetest.Item("big", 1)}, {Key: "legal", Item: legal}, {Key: "z", Item: storetest.Item("z", 1)},
	}, items)
	initialized, err := store.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
}

// Our idea of an item's size is that of the server, for versions of all lengths: the largest item is accepted, one a few
// bytes larger is refused as too large by everything that writes.
func TestStore_LargestItem_IsWhatTheServerSays(t *testing.T) {
	table := freshTable(t)
	store := openStore(t, table, Options{Prefix: "präfix"})
	for _, version := range []int{0, 1, -1, 10, 123, 12_345_678, 1 << 53, -(1 << 53)} {
		for _, key := range []string{"k", strings.Repeat("é", 100)} {
			overhead := itemSize(primaryKey{"präfix:features", key}, core.SerializedItem{Version: version})
			largest := maxItemSize - overhead
			suffix := strconv.Itoa(version)
			require.True(t, upsert(t, store, key+suffix, storetest.Sized("k", version, largest-len(suffix))).Written)
			for _, excess := range []int{sizeSlack, sizeSlack + 1} {
				tooLarge := storetest.Sized("k", version, largest+excess)
				_, err := store.Upsert(t.Context(), core.Flags, key, tooLarge)
				requireTooLarge(t, err, key, len(tooLarge.Data))
				change := core.KindAndKeyedItem{Kind: core.Flags, Key: key, Item: tooLarge}
				_, err = store.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{change})
				requireTooLarge(t, err, key, len(tooLarge.Data))
			}
		}
	}
}

// An item that only the server finds too large does not stop the others of its batch.
func TestStore_Init_BorderlineItem_StopsNothing(t *testing.T) {
	table := freshTable(t)
	store := openStore(t, table, Options{})
	overhead := itemSize(primaryKey{"features", "flag-00003"}, core.SerializedItem{Version: 1})
	collection := storetest.Flags(20, 1, 100)
	collection.Items[3].Item = storetest.Sized("k", 1, maxItemSize-overhead+sizeSlack)
	err := store.Init(t.Context(), []core.SerializedCollection{collection})
	requireTooLarge(t, err, "flag-00003", len(collection.Items[3].Item.Data))
	require.Equal(t, 19, count(t, bareClient(t), table, "features"))
	initialized, err := store.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
}

// Keys that a table cannot have, and JSON that is not UTF-8, stop nothing else.
func TestStore_Init_UnstorableItems_StopNothing(t *testing.T) {
	table := freshTable(t)
	store := openStore(t, table, Options{})
	long := strings.Repeat("k", maxKey+1)
	notText := core.SerializedItem{Version: 1, Data: []byte("{\"version\":1,\"x\":\"\xff\"}")}
	err := store.Init(t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
		{Key: long, Item: storetest.Item("k", 1)}, {Key: "bad\xff", Item: storetest.Item("k", 1)}, {Key: "not text", Item: notText},
		{Key: strings.Repeat("k", maxKey), Item: storetest.Item("k", 1)},
	}}})
	items, only := core.ItemErrors(err)
	require.True(t, only)
	require.Len(t, items, 3)
	require.ErrorIs(t, items[0], core.ErrTooLarge)
	require.ErrorIs(t, items[1], core.ErrInvalid)
	require.ErrorIs(t, items[2], core.ErrInvalid)
	require.Equal(t, 1, count(t, bareClient(t), table, "features"))

	for key, data := range map[string]core.SerializedItem{long: storetest.Item("k", 1), "bad\xff": storetest.Item("k", 1), "not text": notText} {
		_, err := store.Upsert(t.Context(), core.Flags, key, data)
		_, only := core.ItemErrors(err)
		require.True(t, only)
	}
	_, err = store.Upsert(t.Context(), core.Flags, "k", core.SerializedItem{Version: 1})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorIs(t, store.Init(t.Context(), []core.SerializedCollection{
		{Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "empty"}}},
	}), core.ErrInvalid)
	require.Equal(t, 1, count(t, bareClient(t), table, "features"))
}

// Forty items of the largest size do not fit in one batch, nor in one transaction.
func TestStore_ManyLargeItems(t *testing.T) {
	store := openStore(t, freshTable(t), Options{})
	collection := storetest.Flags(40, 1, 400_000)
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{collection}))
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.ElementsMatch(t, collection.Items, items)

	changes := make([]core.KindAndKeyedItem, len(collection.Items))
	for i, item := range storetest.Flags(40, 2, 400_000).Items {
		changes[i] = core.KindAndKeyedItem{Kind: core.Flags, Key: item.Key, Item: item.Item}
	}
	_, err = store.ApplyChangeSet(t.Context(), changes)
	require.ErrorIs(t, err, core.ErrTooLarge)
	results, err := store.ApplyChangeSet(t.Context(), changes[:9])
	require.NoError(t, err)
	require.Len(t, results, 9)
}

// A change set has up to a hundred items, however often each occurs.
func TestStore_ApplyChangeSet_Limits(t *testing.T) {
	store := openStore(t, freshTable(t), Options{})
	var changes []core.KindAndKeyedItem
	for i, item := range storetest.Flags(101, 1, 100).Items {
		changes = append(changes, core.KindAndKeyedItem{Kind: core.Flags, Key: item.Key, Item: item.Item})
		if i < 100 {
			changes = append(changes, changes[len(changes)-1])
		}
	}
	_, err := store.ApplyChangeSet(t.Context(), changes)
	require.ErrorIs(t, err, core.ErrTooLarge)
	var itemErr *core.ItemError
	require.NotErrorAs(t, err, &itemErr, "it is the set that is too large, not an item")
	results, err := store.ApplyChangeSet(t.Context(), changes[:200])
	require.NoError(t, err)
	for i, result := range results {
		require.Equal(t, i%2 == 0, result.Written)
		require.Equal(t, changes[i].Item, result.Item)
	}
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Len(t, items, 100)
}

// Of several changes to one item the greatest counts; items that stay are checked with the others written.
func TestStore_ApplyChangeSet_SameItemAndLosers(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	upsert(t, store, "newer", storetest.Item("newer", 9))
	putRaw(t, bareClient(t), table, "features", "damaged", attributes{"version": number("9"), "item": text("{")})
	rec.take()
	change := func(key string, version int) core.KindAndKeyedItem {
		return core.KindAndKeyedItem{Kind: core.Flags, Key: key, Item: storetest.Item(key, version)}
	}
	results, err := store.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{
		change("a", 1), change("newer", 5), change("a", 3), change("damaged", 1), change("a", 2), change("newer", 8),
	})
	require.NoError(t, err)
	require.Equal(t, []core.UpsertResult{
		{Item: storetest.Item("a", 3)}, {Item: storetest.Item("newer", 9)}, {Item: storetest.Item("a", 3), Written: true},
		{Item: storetest.Item("damaged", 1), Written: true}, {Item: storetest.Item("a", 3)}, {Item: storetest.Item("newer", 9)},
	}, results)
	require.Equal(t, []string{"TransactWriteItems", "TransactWriteItems"}, rec.take())

	results, err = store.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{change("a", 3), change("newer", 9)})
	require.NoError(t, err)
	require.Equal(t, []core.UpsertResult{{Item: storetest.Item("a", 3)}, {Item: storetest.Item("newer", 9)}}, results)
	require.Equal(t, []string{"TransactWriteItems"}, rec.take(), "nothing to write")
}
