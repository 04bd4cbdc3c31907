package certification

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	_ "modernc.org/sqlite" // the bare driver

	"github.com/cleatdev/cleat/sqlitestore"
)

// sqliteFile is an SQLite database of its own.
type sqliteFile struct {
	*server

	path string
	free func() // gives up the lock that another connection holds
}

func (f *sqliteFile) with(do func(db *sql.DB) error) error {
	db, err := sql.Open("sqlite", f.path+"?_busy_timeout=10000")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return do(db)
}

func (f *sqliteFile) exec(t testing.TB, query string) {
	t.Helper()
	err := f.with(func(db *sql.DB) error { _, err := db.ExecContext(context.Background(), query); return err })
	if err != nil {
		t.Fatalf("sqlite: %s: %v", query, err)
	}
}

func startSQLite(t testing.TB) *sqliteFile {
	t.Helper()
	f := &sqliteFile{path: filepath.Join(t.TempDir(), "flags.db")}
	f.server = &server{
		address: f.path,
		open: func(t testing.TB, path, prefix string, logger *slog.Logger) adapter {
			store, err := sqlitestore.New(t.Context(), path, &sqlitestore.Options{Prefix: prefix, Logger: logger})
			if err != nil {
				t.Fatalf("opening a store: %v", err)
			}
			return store
		},
		read: f.read, write: f.write,
	}
	if err := f.open(t, f.path, "first", slog.New(slog.DiscardHandler)).Close(); err != nil { // makes the tables
		t.Fatalf("making the tables: %v", err)
	}
	return f
}

func (f *sqliteFile) read(ctx context.Context, prefix string) (map[string]string, error) {
	flags := map[string]string{}
	err := f.with(func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "SELECT key, item FROM items WHERE prefix = ? AND kind = 'features'", prefix)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var key, data string
			if err := rows.Scan(&key, &data); err != nil {
				return err
			}
			flags[key] = data
		}
		return rows.Err()
	})
	return flags, err
}

func (f *sqliteFile) write(ctx context.Context, prefix, key, data string) error {
	var flag struct{ Version int }
	if err := json.Unmarshal([]byte(data), &flag); err != nil {
		return err
	}
	return f.with(func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "INSERT OR REPLACE INTO items VALUES (?, 'features', ?, ?, 0, ?, 0)", prefix, key, flag.Version, data)
		return err
	})
}

// hold has another connection take a lock.
func (f *sqliteFile) hold(t testing.TB, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", f.path+"?_busy_timeout=10000")
	if err == nil {
		db.SetMaxOpenConns(1)
		_, err = db.ExecContext(context.Background(), statement)
	}
	if err != nil {
		t.Fatalf("sqlite: taking a lock: %v", err)
	}
	f.free = func() {
		_, _ = db.ExecContext(context.Background(), "ROLLBACK")
		_ = db.Close()
	}
}

// files are those of the database.
func (f *sqliteFile) files() []string { return []string{f.path, f.path + "-wal", f.path + "-shm"} }

// sqliteInjections are all injections of SQLite.
func sqliteInjections() []injection {
	start := func(t testing.TB) (*sqliteFile, *server) { f := startSQLite(t); return f, f.server }
	nothing := func(testing.TB, *sqliteFile) {}
	return slices.Concat(injections("sqlite", []fault[*sqliteFile]{
		{
			"write lock", outage, Expectations{WritesFailed: true},
			func(t testing.TB, f *sqliteFile) { f.hold(t, "BEGIN IMMEDIATE") }, func(_ testing.TB, f *sqliteFile) { f.free() },
		},
		{
			"wiped", outage, Expectations{Lost: true, Answers: true},
			func(t testing.TB, f *sqliteFile) {
				f.exec(t, "BEGIN IMMEDIATE; DELETE FROM items; DELETE FROM metadata; DELETE FROM big_segments; COMMIT")
			}, nothing,
		},
		{
			"file removed", outage, Expectations{Lost: true, Answers: true},
			func(_ testing.TB, f *sqliteFile) {
				for _, path := range f.files() {
					_ = os.Remove(path)
				}
			}, nothing,
		},
		{
			"replaced by garbage", outage, Expectations{Lost: true},
			func(t testing.TB, f *sqliteFile) {
				for _, path := range f.files() {
					_ = os.Remove(path)
				}
				if err := os.WriteFile(f.path, slices.Repeat([]byte("garbage "), 10_000), 0o600); err != nil {
					t.Fatalf("writing garbage: %v", err)
				}
			},
			func(_ testing.TB, f *sqliteFile) { _ = os.Remove(f.path) },
		},
	}, start))
}
