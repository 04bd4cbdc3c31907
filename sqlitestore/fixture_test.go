package sqlitestore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func tempPath(t testing.TB) string { return filepath.Join(t.TempDir(), "flags.db") }

func openStore(t testing.TB, path string, opts *sqlitestore.Options) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.New(t.Context(), path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// openQuietly opens a store that may warn.
func openQuietly(t testing.TB, path string) *sqlitestore.Store {
	t.Helper()
	return openStore(t, path, &sqlitestore.Options{
		BusyTimeout: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
}

// bare runs a statement with the bare driver.
func bare(t testing.TB, path, query string, args ...any) {
	t.Helper()
	db := openBare(t, path)
	_, err := db.Exec(query, args...)
	require.NoError(t, err)
}

// bareValue returns the single value of a query as text.
func bareValue(t testing.TB, path, query string, args ...any) string {
	t.Helper()
	var value string
	require.NoError(t, openBare(t, path).QueryRow(query, args...).Scan(&value))
	return value
}

func openBare(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_busy_timeout=10000")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// live returns an item whose JSON has about the given size.
func live(key string, version, size int) core.KeyedSerializedItem {
	data := fmt.Appendf(nil, `{"key":%q,"version":%d,"pad":"%0*d"}`, key, version, size, 0)
	return core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Version: version, Data: data}}
}

// flags returns n flags of the given version and size.
func flags(n, version, size int) []core.SerializedCollection {
	items := make([]core.KeyedSerializedItem, n)
	for i := range items {
		items[i] = live(fmt.Sprintf("flag-%d", i), version, size)
	}
	return []core.SerializedCollection{{Kind: core.Flags, Items: items}}
}

func upsert(t testing.TB, s *sqlitestore.Store, key string, version int) core.UpsertResult {
	t.Helper()
	result, err := s.Upsert(t.Context(), core.Flags, key, live(key, version, 1).Item)
	require.NoError(t, err)
	return result
}

func versionOf(ctx context.Context, t testing.TB, s *sqlitestore.Store, key string) int {
	t.Helper()
	item, found, err := s.Get(ctx, core.Flags, key)
	require.NoError(t, err)
	require.True(t, found)
	return item.Version
}

// directory returns name, content and time of change of every file in the directory.
func directory(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	files := make(map[string]string)
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		files[entry.Name()] = info.ModTime().String() + string(content)
	}
	return files
}

// names returns the names of the files in the directory.
func names(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
