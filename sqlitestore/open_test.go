package sqlitestore_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func TestNew_BadOptionsOrPath_AreRefusedOneMessagePerRule(t *testing.T) {
	good := tempPath(t)
	for _, c := range []struct {
		path    string
		options sqlitestore.Options
		message string
	}{
		{good, sqlitestore.Options{BusyTimeout: -1}, "BusyTimeout -1ns is negative"},
		{good, sqlitestore.Options{WatchInterval: -time.Second}, "WatchInterval -1s is negative"},
		{"", sqlitestore.Options{}, "memorystore"},
		{":memory:", sqlitestore.Options{}, "memorystore"},
		{"a\x00b", sqlitestore.Options{}, "zero byte"},
		{filepath.Dir(good), sqlitestore.Options{}, "is not a file"},
	} {
		_, err := sqlitestore.New(t.Context(), c.path, &c.options)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, c.message)
		_, err = sqlitestore.NewBigSegments(t.Context(), c.path, &c.options)
		require.ErrorIs(t, err, core.ErrInvalid)
	}
	_, err := sqlitestore.New(t.Context(), good, &sqlitestore.Options{BusyTimeout: -1, WatchInterval: -1})
	require.ErrorContains(t, err, "BusyTimeout")
	require.ErrorContains(t, err, "WatchInterval")
	require.NoFileExists(t, good)
}

func TestNew_OddPaths_NameTheFileTheySay(t *testing.T) {
	for _, name := range []string{
		"a?b", "a#b", "a b", "a%20b", "100%", "file:x", "a&mode=ro", "ключ", "+", "a?mode=memory", "semi;colon", "q'uote\"",
	} {
		dir := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.Mkdir(dir, 0o750))
		path := filepath.Join(dir, name)
		s, err := sqlitestore.New(t.Context(), path, nil)
		require.NoError(t, err, name)
		upsert(t, s, "f", 1)
		require.NoError(t, s.Close())
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, name, entries[0].Name())
		frozen := openStore(t, path, &sqlitestore.Options{ReadOnly: true})
		require.Equal(t, 1, versionOf(t.Context(), t, frozen, "f"))
	}
}

func TestNew_ARelativePathAndASymbolicLink_NameTheSameFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := openStore(t, "flags.db", nil)
	upsert(t, s, "f", 1)
	require.NoError(t, os.Symlink("flags.db", "link.db"))
	linked := openStore(t, filepath.Join(dir, "link.db"), nil)
	require.Equal(t, 1, versionOf(t.Context(), t, linked, "f"))
	frozen := openStore(t, "link.db", &sqlitestore.Options{ReadOnly: true})
	require.Equal(t, 1, versionOf(t.Context(), t, frozen, "f"))
}

func TestNew_AnEmptyFile_IsTaken(t *testing.T) {
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	upsert(t, openStore(t, path, nil), "f", 1)
}

func TestNew_WhatIsNotOurs_IsRefusedAndLeftAsItIs(t *testing.T) {
	foreign := func(statements ...string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			require.NoError(t, err)
			for _, statement := range statements {
				_, err := db.Exec(statement)
				require.NoError(t, err)
			}
			require.NoError(t, db.Close())
		}
	}
	ours := func(statement string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			s, err := sqlitestore.New(t.Context(), path, nil)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			foreign(statement)(t, path)
		}
	}
	for name, c := range map[string]struct {
		prepare  func(t *testing.T, path string)
		sentinel error
		advice   string
	}{
		"foreign tables":         {foreign("CREATE TABLE t (x)"), core.ErrIncompatible, "choose another path"},
		"foreign tables in WAL":  {foreign("PRAGMA journal_mode = WAL", "CREATE TABLE items (x)"), core.ErrIncompatible, "choose another path"},
		"foreign application_id": {foreign("PRAGMA application_id = 7"), core.ErrIncompatible, "choose another path"},
		"foreign user_version":   {foreign("PRAGMA user_version = 1"), core.ErrIncompatible, "choose another path"},
		"a newer layout":         {ours("PRAGMA user_version = 2"), core.ErrIncompatible, "update cleat"},
		"no layout version":      {ours("PRAGMA user_version = 0"), core.ErrIncompatible, "choose another path"},
	} {
		t.Run(name, func(t *testing.T) {
			path := tempPath(t)
			c.prepare(t, path)
			before := directory(t, filepath.Dir(path))
			for _, options := range []*sqlitestore.Options{nil, {ReadOnly: true}} {
				_, err := sqlitestore.New(t.Context(), path, options)
				require.ErrorIs(t, err, c.sentinel)
				require.ErrorContains(t, err, c.advice)
				_, err = sqlitestore.NewBigSegments(t.Context(), path, options)
				require.ErrorIs(t, err, c.sentinel)
			}
			require.Equal(t, before, directory(t, filepath.Dir(path)), "file, time of change, and no files beside it")
			requireNoHandle(t, path)
		})
	}
}

func TestNew_ANewerLayoutThatIsOnlyInTheLog_IsRefused(t *testing.T) {
	path := tempPath(t)
	s := openStore(t, path, nil)
	upsert(t, s, "f", 1)
	newer := openBare(t, path)
	_, err := newer.Exec("PRAGMA user_version = 2")
	require.NoError(t, err)
	main, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = sqlitestore.New(t.Context(), path, nil)
	require.ErrorIs(t, err, core.ErrIncompatible)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, main, after)

	_, err = s.Upsert(t.Context(), core.Flags, "f", live("f", 2, 1).Item)
	require.ErrorIs(t, err, core.ErrIncompatible, "a process that is running does not write an old layout into a newer database")
	require.Equal(t, 1, versionOf(t.Context(), t, s, "f"))
}

func TestStore_ADamagedFile_IsCorrupt(t *testing.T) {
	path := tempPath(t)
	s, err := sqlitestore.New(t.Context(), path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Init(t.Context(), flags(1000, 1, 500)))
	require.NoError(t, s.Close())
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteAt(bytes.Repeat([]byte{0xa5}, 400_000), 8192)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	s = openStore(t, path, nil)
	_, err = s.GetAll(t.Context(), core.Flags)
	require.ErrorIs(t, err, core.ErrCorrupt)
	var cause *sqlite.Error
	require.ErrorAs(t, err, &cause)
	require.Equal(t, sqlite3.SQLITE_CORRUPT, cause.Code()&0xff)
}

func TestStore_WithoutItsTables_IsCorrupt(t *testing.T) {
	path := tempPath(t)
	s := openStore(t, path, nil)
	bare(t, path, "DROP TABLE items")
	_, err := s.GetAll(t.Context(), core.Flags)
	require.ErrorIs(t, err, core.ErrCorrupt)
	_, err = openQuietly(t, path).GetAll(t.Context(), core.Flags)
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.NotErrorIs(t, err, core.ErrCorrupt, "which concerns single items")
}

func TestNew_Layout_CanBeReadWithTheShell(t *testing.T) {
	path := tempPath(t)
	s := openStore(t, path, sqlitestore.Options{Prefix: "p"}.WithNow(func() time.Time { return time.UnixMilli(12) }))
	require.NoError(t, s.Init(t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
		{Key: "f", Item: core.SerializedItem{Version: 3, Data: []byte(`{"version":3}`)}},
		{Key: "g", Item: core.SerializedItem{Version: 4, Deleted: true, Data: []byte(`{"key":"g","version":4,"deleted":true}`)}},
	}}}))
	for query, want := range map[string]string{
		"PRAGMA application_id": "1668048225",
		"PRAGMA user_version":   "1",
		"PRAGMA journal_mode":   "wal",
		"SELECT prefix || kind || key || version || deleted || item || updated_at || typeof(item) FROM items WHERE key = 'f'": `pfeaturesf30{"version":3}12text`,
		"SELECT deleted || item FROM items WHERE key = 'g'":                                                                   `1{"key":"g","version":4,"deleted":true}`,
		"SELECT prefix || name || value || updated_at FROM metadata":                                                          "pinitialized112",
		"SELECT count(*) FROM sqlite_schema WHERE name = 'big_segments'":                                                      "1",
		"SELECT count(*) FROM pragma_integrity_check WHERE integrity_check != 'ok'":                                           "0",
	} {
		require.Equal(t, want, bareValue(t, path, query), query)
	}
}

func TestNew_ByManyAtOnce_CreatesOneDatabase(t *testing.T) {
	for range 10 {
		path := tempPath(t)
		var running sync.WaitGroup
		for i := range 8 {
			running.Go(func() {
				s, err := sqlitestore.New(t.Context(), path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.Upsert(t.Context(), core.Flags, strconv.Itoa(i), live("f", 1, 1).Item); err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		items, err := openStore(t, path, nil).GetAll(t.Context(), core.Flags)
		require.NoError(t, err)
		require.Len(t, items, 8)
	}
}
