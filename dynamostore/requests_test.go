package dynamostore

import (
	"fmt"
	"strings"
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

func TestStore_Reads_Requests(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(30, 1, 100_000)}))
	rec.take()

	_, found, err := store.Get(t.Context(), core.Flags, "flag-00001")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, []string{"GetItem"}, rec.take())

	_, found, err = store.Get(t.Context(), core.Flags, strings.Repeat("k", maxKey+1))
	require.NoError(t, err)
	require.False(t, found)
	_, found, err = store.Get(t.Context(), core.Flags, "\xff")
	require.NoError(t, err)
	require.False(t, found)
	require.Empty(t, rec.take(), "keys that cannot be there")

	_, err = store.Initialized(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"GetItem"}, rec.take())
	require.NoError(t, store.CheckAvailability(t.Context()))
	require.Equal(t, []string{"GetItem"}, rec.take())

	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Len(t, items, 30)
	require.Equal(t, []string{"Query", "Query", "Query"}, rec.take(), "3 MB in pages of one")
}

// Reads are strongly consistent unless the options say otherwise; what an Init compares with is in any case.
func TestStore_Reads_Consistency(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	for _, eventually := range []bool{false, true} {
		store := newStore(t, client, table, Options{EventuallyConsistent: eventually})
		require.NoError(t, store.CheckAvailability(t.Context()))
		rec.take()
		_, _, err := store.Get(t.Context(), core.Flags, "a")
		require.NoError(t, err)
		_, err = store.GetAll(t.Context(), core.Flags)
		require.NoError(t, err)
		_, err = store.Initialized(t.Context())
		require.NoError(t, err)
		for _, r := range rec.seen {
			require.Contains(t, string(r.body), fmt.Sprintf(`"ConsistentRead":%t`, !eventually), r.operation)
		}
		rec.take()
		require.NoError(t, store.Init(t.Context(), nil))
		for _, r := range rec.seen {
			require.NotContains(t, string(r.body), `"ConsistentRead":false`, r.operation)
		}
		rec.take()
	}
}

func isWrite(operation string) bool { return operation != "GetItem" && operation != "Query" }

// Ten thousand items that are there already cost no write; one that differs costs one.
func TestStore_Init_UnchangedWritesNothing(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	data := []core.SerializedCollection{storetest.Flags(10_000, 1, 2000)}
	require.NoError(t, store.Init(t.Context(), data))
	writes := 0
	for _, operation := range rec.take() {
		if isWrite(operation) {
			writes++
		}
	}
	require.Equal(t, 10_000/maxBatchItems+1, writes, "the batches and the mark")

	require.NoError(t, store.Init(t.Context(), data))
	for _, operation := range rec.take() {
		require.False(t, isWrite(operation), operation)
	}

	putRaw(t, bareClient(t), table, "features", "flag-00007",
		attributes{"version": number("1"), "item": text(string(data[0].Items[7].Item.Data)), "ttl": number("1")})
	require.NoError(t, store.Init(t.Context(), data))
	operations := rec.take()
	require.Equal(t, 1, countOf(operations, "BatchWriteItem"))
	require.Zero(t, countOf(operations, "PutItem"))
	require.Len(t, rawItem(t, bareClient(t), table, "features", "flag-00007"), 4)
}

func countOf(operations []string, operation string) int {
	n := 0
	for _, o := range operations {
		if o == operation {
			n++
		}
	}
	return n
}

// A collection begins when the one before is complete, leftovers go after all of them, and the mark is last.
func TestStore_Init_KeepsTheOrder(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	putRaw(t, bareClient(t), table, "segments", "leftover", nil)
	first, second := storetest.Flags(200, 1, 100), storetest.Flags(200, 1, 100)
	first.Kind = core.Segments
	for i := range second.Items {
		second.Items[i].Key = "second-" + second.Items[i].Key
	}
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{
		first, second, {Kind: core.Segments, Items: []core.KeyedSerializedItem{{Key: "third", Item: storetest.Item("third", 1)}}},
	}))
	var order []string
	for _, r := range rec.seen {
		if isWrite(r.operation) {
			order = append(order, whatOf(string(r.body)))
		}
	}
	want := append(strings.Split(strings.Repeat("first ", 8), " ")[:8], strings.Split(strings.Repeat("second ", 8), " ")[:8]...)
	require.Equal(t, append(want, "third", "leftover", "mark"), order)
}

func whatOf(body string) string {
	for _, what := range []string{"leftover", "third", "second", "$inited"} {
		if strings.Contains(body, what) {
			return strings.Replace(what, "$inited", "mark", 1)
		}
	}
	return "first"
}
