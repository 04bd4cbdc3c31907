package sqlitestore

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/cleatdev/cleat/core"
)

func TestStore_AnItemOverTheLimit_IsTooLargeAndStopsNothingElse(t *testing.T) {
	s, err := New(t.Context(), filepath.Join(t.TempDir(), "flags.db"), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	item := func(key string, version, size int) core.KeyedSerializedItem {
		return core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Version: version, Data: make([]byte, size)}}
	}
	_, err = s.Upsert(t.Context(), core.Flags, "big", item("big", 1, 10).Item)
	require.NoError(t, err)
	limitLength(t, s, 1000)

	requireTooLarge := func(err error) {
		t.Helper()
		var itemErr *core.ItemError
		require.ErrorAs(t, err, &itemErr)
		require.Equal(t, core.Flags, itemErr.Kind)
		require.Equal(t, "big", itemErr.Key)
		require.Equal(t, 2000, itemErr.Size)
		require.ErrorIs(t, err, core.ErrTooLarge)
		var cause *sqlite.Error
		require.ErrorAs(t, err, &cause)
	}
	_, err = s.Upsert(t.Context(), core.Flags, "big", item("big", 2, 2000).Item)
	requireTooLarge(err)
	_, err = s.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{
		{Kind: core.Flags, Key: "small", Item: item("small", 1, 10).Item},
		{Kind: core.Flags, Key: "big", Item: item("big", 2, 2000).Item},
	})
	requireTooLarge(err)
	_, found, err := s.Get(t.Context(), core.Flags, "small")
	require.NoError(t, err)
	require.False(t, found, "a change set is atomic")

	err = s.Init(t.Context(), []core.SerializedCollection{
		{Kind: core.Flags, Items: []core.KeyedSerializedItem{item("a", 1, 10), item("big", 2, 2000), item("z", 1, 10)}},
	})
	requireTooLarge(err)
	items, err := s.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.ElementsMatch(t, []core.KeyedSerializedItem{item("a", 1, 10), item("big", 1, 10), item("z", 1, 10)}, items)
	initialized, err := s.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
}

func TestStore_Writes_ToAFullDatabase_AreReadOnlyUntilThereIsSpace(t *testing.T) {
	s, err := New(t.Context(), filepath.Join(t.TempDir(), "flags.db"), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	limitPages := func(pages int) {
		_, err := s.db.current.writer.db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		require.NoError(t, err)
	}
	item := core.SerializedItem{Version: 1, Data: make([]byte, 100_000)}
	limitPages(20)
	_, err = s.Upsert(t.Context(), core.Flags, "f", item)
	require.ErrorIs(t, err, core.ErrReadOnly)
	var cause *sqlite.Error
	require.ErrorAs(t, err, &cause)
	require.Equal(t, sqlite3.SQLITE_FULL, cause.Code())
	_, found, err := s.Get(t.Context(), core.Flags, "f")
	require.NoError(t, err)
	require.False(t, found)
	limitPages(1000)
	result, err := s.Upsert(t.Context(), core.Flags, "f", item)
	require.NoError(t, err)
	require.True(t, result.Written)
}

// limitLength lowers SQLite's own limit of the size of a row, a billion bytes, on the connection that writes.
func limitLength(t *testing.T, s *Store, length int) {
	t.Helper()
	conn, err := s.db.current.writer.db.Conn(t.Context())
	require.NoError(t, err)
	_, err = sqlite.Limit(conn, sqlite3.SQLITE_LIMIT_LENGTH, length)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}
