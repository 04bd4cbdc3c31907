package dynamostore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// upsert is an Upsert that must succeed.
func upsert(t testing.TB, store *Store, key string, item core.SerializedItem) core.UpsertResult {
	t.Helper()
	result, err := store.Upsert(t.Context(), core.Flags, key, item)
	require.NoError(t, err)
	return result
}

// An upsert is one request, won or lost; only what is damaged and looks newer takes two, and so does the first
// call, which looks at the table.
func TestStore_Upsert_Requests(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	require.True(t, upsert(t, store, "a", storetest.Item("a", 5)).Written)
	require.Equal(t, []string{"Query", "PutItem"}, rec.take(), "the first call")

	require.True(t, upsert(t, store, "a", storetest.Item("a", 6)).Written)
	require.Equal(t, []string{"PutItem"}, rec.take(), "won")

	require.Equal(t, core.UpsertResult{Item: storetest.Item("a", 6)}, upsert(t, store, "a", storetest.Item("a", 6)))
	require.Equal(t, []string{"PutItem"}, rec.take(), "lost")

	bare := bareClient(t)
	for name, damaged := range map[string]attributes{
		"no version":         {"item": text(`{"version":9}`)},
		"version is text":    {"version": text("9"), "item": text(`{"version":9}`)},
		"fraction, smaller":  {"version": number("0.5"), "item": text(`{"version":9}`)},
		"smaller, no JSON":   {"version": number("-9"), "item": text(`{`)},
		"nothing but a key":  {},
		"something else too": {"version": text("x"), "ttl": number("1")},
	} {
		putRaw(t, bare, table, "features", "damaged", damaged)
		require.True(t, upsert(t, store, "damaged", storetest.Item("damaged", 1)).Written, name)
		require.Equal(t, []string{"PutItem"}, rec.take(), name)
	}
	for name, damaged := range map[string]attributes{
		"no JSON":            {"version": number("9"), "item": text(`{"version":`)},
		"JSON is missing":    {"version": number("9")},
		"JSON is a number":   {"version": number("9"), "item": number("9")},
		"binary, no JSON":    {"version": number("9"), "item": rawValue([]byte("\xff"))},
		"fraction, greater":  {"version": number("9.5"), "item": text(`{"version":9}`)},
		"no int, too large":  {"version": number("1e30"), "item": text(`{"version":9}`)},
		"other things there": {"version": number("9"), "item": text(``), "ttl": number("1")},
	} {
		putRaw(t, bare, table, "features", "damaged", damaged)
		require.True(t, upsert(t, store, "damaged", storetest.Item("damaged", 1)).Written, name)
		require.Equal(t, []string{"PutItem", "PutItem"}, rec.take(), name)
		require.Equal(t, text(string(storetest.Item("damaged", 1).Data)), rawItem(t, bare, table, "features", "damaged")["item"], name)
	}
}
