package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/cleatdev/cleat/core"
)

// applicationID marks a database file as ours: "clea" in ASCII.
const applicationID = 0x636c6561

// layoutVersion is the version of the layout that this package writes, the last of the migrations.
const layoutVersion = 1

// migration brings the layout from the version before to its version.
type migration struct {
	version    int
	statements []string
}

// migrations returns all steps there are, oldest first. A step that was released never changes: a new layout is a new
// step.
func migrations() []migration {
	return []migration{
		{version: 1, statements: []string{
			`CREATE TABLE items (
				prefix     TEXT    NOT NULL,
				kind       TEXT    NOT NULL,
				key        TEXT    NOT NULL,
				version    INTEGER NOT NULL,
				deleted    INTEGER NOT NULL CHECK (deleted IN (0, 1)),
				item       TEXT    NOT NULL,
				updated_at INTEGER NOT NULL,
				PRIMARY KEY (prefix, kind, key)
			) STRICT`,
			`CREATE TABLE metadata (
				prefix     TEXT    NOT NULL,
				name       TEXT    NOT NULL,
				value      TEXT    NOT NULL,
				updated_at INTEGER NOT NULL,
				PRIMARY KEY (prefix, name)
			) STRICT, WITHOUT ROWID`,
			`CREATE TABLE big_segments (
				prefix       TEXT NOT NULL,
				context_hash TEXT NOT NULL,
				relation     TEXT NOT NULL CHECK (relation IN ('include', 'exclude')),
				segment_ref  TEXT NOT NULL,
				PRIMARY KEY (prefix, context_hash, relation, segment_ref)
			) STRICT, WITHOUT ROWID`,
		}},
	}
}

// header is what a database says of itself.
type header struct {
	applicationID int
	version       int
	tables        int // tables, indexes and so on, of any owner
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readHeader reads it in one statement, because another process may be creating the database at this moment.
func readHeader(ctx context.Context, db queryer) (h header, err error) {
	err = db.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&h.applicationID, &h.version, &h.tables)
	return h, err
}

// empty reports whether nothing has been put into the database yet.
func (h header) empty() bool { return h == header{} }

// check returns nil for an empty database and one of ours that the steps lead to or start from.
func (h header) check(steps []migration) error {
	newest := steps[len(steps)-1].version
	switch {
	case h.empty():
		return nil
	case h.applicationID != applicationID || h.version < 1:
		return fmt.Errorf("%w: the file is an SQLite database of something else (application_id %#x, user_version %d); it was "+
			"left as it is: choose another path", core.ErrIncompatible, h.applicationID, h.version)
	case h.version > newest:
		return fmt.Errorf("%w: the database has layout version %d and this version of cleat knows versions up to %d; it was left "+
			"as it is: update cleat or choose another path", core.ErrIncompatible, h.version, newest)
	}
	return nil
}

type execer interface {
	queryer
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// migrate runs the steps that the database lacks, inside a transaction of the caller.
func migrate(ctx context.Context, tx execer, steps []migration) error {
	h, err := readHeader(ctx, tx)
	if err != nil {
		return err
	}
	if err := h.check(steps); err != nil {
		return err
	}
	for _, step := range steps {
		if step.version <= h.version {
			continue
		}
		for _, statement := range append(step.statements,
			fmt.Sprintf("PRAGMA application_id = %d", applicationID),
			fmt.Sprintf("PRAGMA user_version = %d", step.version)) {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("step to layout version %d: %w", step.version, err)
			}
		}
	}
	return nil
}

// readable returns nil if the database can be read without changing it first.
func (h header) readable() error {
	switch {
	case h.empty():
		return fmt.Errorf("%w: the database is empty, and a store that only reads does not fill it", core.ErrUnavailable)
	case h.version != layoutVersion:
		return fmt.Errorf("%w: the database has layout version %d; open it once without Options.ReadOnly to bring it to "+
			"version %d", core.ErrIncompatible, h.version, layoutVersion)
	}
	return nil
}

// checkLibrary refuses a version of SQLite that is too old.
func checkLibrary(ctx context.Context, db queryer) error {
	var version string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	return checkSQLiteVersion(version)
}

// checkSQLiteVersion refuses releases of SQLite before 3.51.3, in which two connections that write and checkpoint at the
// same moment can damage the database.
func checkSQLiteVersion(version string) error {
	oldest := [3]int{3, 51, 3}
	parts := strings.Split(version, ".")
	for i, least := range oldest {
		var number int
		if i < len(parts) {
			parsed, err := strconv.Atoi(parts[i])
			if err != nil {
				return fmt.Errorf("SQLite reports the version %q, which is no version", version)
			}
			number = parsed
		}
		switch {
		case number > least:
			return nil
		case number < least:
			return fmt.Errorf("SQLite %s can damage a database in WAL mode; build with a release of modernc.org/sqlite "+
				"that bundles SQLite 3.51.3 or newer", version)
		}
	}
	return nil
}
