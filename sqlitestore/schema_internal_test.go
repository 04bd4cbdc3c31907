package sqlitestore

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
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
