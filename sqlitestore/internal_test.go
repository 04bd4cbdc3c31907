package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/cleatdev/cleat/core"
)

func TestCheckSQLiteVersion_AcceptsTheBundledOne(t *testing.T) {
	require.NoError(t, checkSQLiteVersion(sqlite3.SQLITE_VERSION))
}

func TestCheckSQLiteVersion_RefusesWhatIsOlderThanTheFix(t *testing.T) {
	for version, accepted := range map[string]bool{
		"3.51.3": true, "3.51.10": true, "3.52": true, "3.52.0": true, "4.0.0": true, "3.51.3.1": true,
		"3.51.2": false, "3.51": false, "3.9.99": false, "2.99.99": false, "": false, "new": false,
	} {
		err := checkSQLiteVersion(version)
		require.Equal(t, accepted, err == nil, "%s: %v", version, err)
	}
}

func TestMigrate_RunsTheStepsThatAreMissingInOneTransaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flags.db")
	s, err := New(t.Context(), path, nil)
	require.NoError(t, err)
	_, err = s.Upsert(t.Context(), core.Flags, "f", core.SerializedItem{Version: 1, Data: []byte("{}")})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	conn := connect(t, path)
	steps := append(migrations(),
		migration{2, []string{"ALTER TABLE items ADD COLUMN second TEXT"}},
		migration{3, []string{"ALTER TABLE items RENAME COLUMN second TO third", "BROKEN"}})
	require.Error(t, migrateIn(t.Context(), conn, steps))
	h, err := readHeader(t.Context(), conn)
	require.NoError(t, err)
	require.Equal(t, 1, h.version, "nothing was changed")

	steps[2].statements[1] = "UPDATE items SET third = 'x'"
	require.NoError(t, migrateIn(t.Context(), conn, steps))
	require.NoError(t, migrateIn(t.Context(), conn, steps), "again changes nothing")
	var value string
	require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT key || third FROM items").Scan(&value))
	require.Equal(t, "fx", value)
	h, err = readHeader(t.Context(), conn)
	require.NoError(t, err)
	require.Equal(t, 3, h.version)
	require.ErrorIs(t, migrateIn(t.Context(), conn, steps[:2]), core.ErrIncompatible)
}

func TestMigrations_LeadToTheLayoutWithoutGaps(t *testing.T) {
	require.Len(t, migrations(), layoutVersion)
	for i, step := range migrations() {
		require.Equal(t, i+1, step.version)
	}
}

func connect(t *testing.T, path string) *sql.Conn { return connectTo(t, path, readWrite) }

func connectTo(t *testing.T, path string, mode accessMode) *sql.Conn {
	t.Helper()
	db, err := sql.Open(driverName, connectionString(path, mode, false))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

func migrateIn(ctx context.Context, conn *sql.Conn, steps []migration) error {
	return inTransaction(ctx, conn, func(tx *sql.Tx) error { return migrate(ctx, tx, steps) })
}

func TestSentinelOfCode_TellsTheResultCodesApart(t *testing.T) {
	for code, want := range map[int]error{
		sqlite3.SQLITE_BUSY:               core.ErrUnavailable,
		sqlite3.SQLITE_BUSY_SNAPSHOT:      core.ErrUnavailable,
		sqlite3.SQLITE_LOCKED:             core.ErrUnavailable,
		sqlite3.SQLITE_FULL:               core.ErrReadOnly,
		sqlite3.SQLITE_IOERR_WRITE:        core.ErrUnavailable,
		sqlite3.SQLITE_CANTOPEN:           core.ErrUnavailable,
		sqlite3.SQLITE_NOMEM:              core.ErrUnavailable,
		sqlite3.SQLITE_PROTOCOL:           core.ErrUnavailable,
		sqlite3.SQLITE_READONLY_CANTLOCK:  core.ErrUnavailable,
		sqlite3.SQLITE_READONLY_DBMOVED:   core.ErrUnavailable,
		sqlite3.SQLITE_READONLY:           core.ErrReadOnly,
		sqlite3.SQLITE_READONLY_DIRECTORY: core.ErrReadOnly,
		sqlite3.SQLITE_PERM:               core.ErrReadOnly,
		sqlite3.SQLITE_CORRUPT:            core.ErrCorrupt,
		sqlite3.SQLITE_CORRUPT_INDEX:      core.ErrCorrupt,
		sqlite3.SQLITE_IOERR_CORRUPTFS:    core.ErrCorrupt,
		sqlite3.SQLITE_NOTADB:             core.ErrCorrupt,
		sqlite3.SQLITE_ERROR:              core.ErrCorrupt,
		sqlite3.SQLITE_TOOBIG:             core.ErrTooLarge,
	} {
		require.Equal(t, want, sentinelOfCode(code), code)
	}
}

func TestTranslate_KeepsTheCauseAndWhatIsTranslated(t *testing.T) {
	other := errors.New("other")
	require.Equal(t, other, translate(other))
	require.NoError(t, translate(nil))
	once := fmt.Errorf("%w: %w", core.ErrReadOnly, driver.ErrBadConn)
	require.Equal(t, once, translate(once))
	require.ErrorIs(t, translate(driver.ErrBadConn), core.ErrUnavailable)
	require.ErrorIs(t, translate(driver.ErrBadConn), driver.ErrBadConn)
}

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

// limitLength lowers SQLite's own limit of the size of a row, a billion bytes, on the connection that writes.
func limitLength(t *testing.T, s *Store, length int) {
	t.Helper()
	conn, err := s.db.current.writer.db.Conn(t.Context())
	require.NoError(t, err)
	_, err = sqlite.Limit(conn, sqlite3.SQLITE_LIMIT_LENGTH, length)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
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

func TestHeader_Readable_RefusesAnEmptyDatabaseAndAnOlderLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flags.db")
	conn := connectTo(t, path, readWriteCreate)
	require.NoError(t, migrateIn(t.Context(), conn, migrations()))
	older := header{applicationID: applicationID, version: layoutVersion - 1, tables: 1}
	require.ErrorIs(t, older.readable(), core.ErrIncompatible)
	require.ErrorIs(t, header{}.readable(), core.ErrUnavailable)
	found, err := inspect(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, found.readable())
}
