package dynamostore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

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
