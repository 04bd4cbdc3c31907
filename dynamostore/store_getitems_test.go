package dynamostore

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// Several items come in one request for each hundred keys: those that are there, tombstones and damaged ones too.
func TestStore_GetItems_Requests(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{Prefix: "p"})
	collection := storetest.Flags(230, 1, 100)
	collection.Items[7].Item = core.SerializedItem{Version: 2, Data: []byte(`{"version":2,"deleted":true}`)}
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{collection}))
	putRaw(t, bareClient(t), table, "p:features", "damaged", attributes{versionAttribute: number("3"), itemAttribute: text("{")})
	rec.take()

	keys := []string{"damaged", "missing", "\xff", "", string(make([]byte, maxKey+1))}
	for _, item := range collection.Items {
		keys = append(keys, item.Key)
	}
	items, err := store.GetItems(t.Context(), core.Flags, keys)
	require.NoError(t, err)
	want := append(collection.Items, core.KeyedSerializedItem{Key: "damaged", Item: core.SerializedItem{Version: 3, Data: []byte("{")}})
	require.ElementsMatch(t, want, items)
	for _, r := range rec.seen {
		require.Contains(t, string(r.body), `"ConsistentRead":true`)
	}
	require.Equal(t, []string{"BatchGetItem", "BatchGetItem", "BatchGetItem"}, rec.take())

	for _, keys := range [][]string{nil, {"\xff"}} {
		items, err = store.GetItems(t.Context(), core.Flags, keys)
		require.NoError(t, err)
		require.Empty(t, items)
	}
	require.Empty(t, rec.take(), "nothing to ask")
	_, err = store.GetItems(t.Context(), "", []string{"a"})
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = store.GetItems(nil, core.Flags, []string{"a"})
	require.ErrorIs(t, err, core.ErrInvalid)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = store.GetItems(ended, core.Flags, []string{"a"})
	require.Equal(t, context.Canceled, err)
}

// What one answer has no room for, because it may have 16 MB only, comes with the next.
func TestStore_GetItems_SixteenMegabytes(t *testing.T) {
	store := openStore(t, freshTable(t), Options{})
	collection := storetest.Flags(50, 1, 400_000)
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{collection}))
	keys := make([]string, len(collection.Items))
	for i, item := range collection.Items {
		keys[i] = item.Key
	}
	items, err := store.GetItems(t.Context(), core.Flags, keys)
	require.NoError(t, err)
	require.ElementsMatch(t, collection.Items, items)
}

// Keys that the service leaves unprocessed because it is throttling are asked for again; if that does not end, it is an error.
func TestStore_GetItems_Unprocessed(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	collection := storetest.Flags(5, 1, 100)
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{collection}))
	unprocessed := 3
	rec.intercept = func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.operation != "BatchGetItem" || r.number > unprocessed {
			return nil, nil //nolint:nilnil // passes the request on
		}
		var request map[string]json.RawMessage
		if err := json.Unmarshal(r.body, &request); err != nil {
			return nil, err
		}
		return answer(http.StatusOK, fmt.Sprintf(`{"Responses":{},"UnprocessedKeys":%s}`, request["RequestItems"])), nil
	}
	keys := []string{"flag-00000", "flag-00003", "missing"}
	items, err := store.GetItems(t.Context(), core.Flags, keys)
	require.NoError(t, err)
	require.ElementsMatch(t, []core.KeyedSerializedItem{collection.Items[0], collection.Items[3]}, items)
	require.Equal(t, 4, countOf(rec.take(), "BatchGetItem"))

	unprocessed = 1 << 30
	items, err = store.GetItems(within(t, soon), core.Flags, keys)
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "throttling")
	require.Nil(t, items)
}

// Credentials from before this ability read one item after the other.
func TestStore_GetItems_NotPermitted(t *testing.T) {
	client, rec := recordingClient(t, nil)
	store := newStore(t, client, freshTable(t), Options{})
	collection := storetest.Flags(3, 1, 100)
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{collection}))
	rec.intercept = always(func() *http.Response {
		return failure(http.StatusBadRequest, "AccessDeniedException", "not authorized")
	}, "BatchGetItem")
	items, err := store.GetItems(t.Context(), core.Flags, []string{"flag-00001", "missing", "flag-00002"})
	require.NoError(t, err)
	require.ElementsMatch(t, collection.Items[1:], items)
}
