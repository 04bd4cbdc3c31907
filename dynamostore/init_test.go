package dynamostore

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

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
