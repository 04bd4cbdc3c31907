package sqlitestore

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/cleatdev/cleat/core"
)

// translate wraps an error of the driver in the sentinel of package core that it means. Errors that have one already are
// returned as they are.
func translate(err error) error {
	if hasSentinel(err) {
		return err
	}
	if sentinel := sentinelOf(err); sentinel != nil {
		return fmt.Errorf("%w: %w", sentinel, err)
	}
	return err
}

func hasSentinel(err error) bool {
	for _, sentinel := range []error{
		core.ErrUnavailable, core.ErrTooLarge, core.ErrCorrupt, core.ErrReadOnly, core.ErrInvalid, core.ErrIncompatible,
		core.ErrClosed,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

func sentinelOf(err error) error {
	var driverErr *sqlite.Error
	switch {
	case errors.As(err, &driverErr):
		return sentinelOfCode(driverErr.Code())
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return core.ErrUnavailable
	default:
		return nil
	}
}

// sentinelOfCode looks at extended result codes where they differ in meaning from the primary code, their lowest byte.
func sentinelOfCode(code int) error {
	switch code {
	case sqlite3.SQLITE_READONLY_RECOVERY, sqlite3.SQLITE_READONLY_CANTLOCK, sqlite3.SQLITE_READONLY_CANTINIT,
		sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_DBMOVED:
		return core.ErrUnavailable // concerns reading too, or a file that is no longer in its place
	case sqlite3.SQLITE_IOERR_CORRUPTFS:
		return core.ErrCorrupt
	}
	switch code & 0xff {
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_FULL:
		return core.ErrReadOnly
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return core.ErrCorrupt
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH:
		return core.ErrCorrupt // the statements are right, so the tables are not those of the layout
	case sqlite3.SQLITE_TOOBIG:
		return core.ErrTooLarge
	default:
		return core.ErrUnavailable // busy, locked, failing, out of memory, cannot be opened
	}
}

// isDamaged reports whether SQLite has said that the file is damaged or not a database.
func isDamaged(err error) bool {
	return sentinelOf(err) == core.ErrCorrupt //nolint:errorlint // sentinelOf does not wrap
}

// isBusy reports whether another connection was in the way, so that the same may succeed a moment later.
func isBusy(err error) bool {
	var driverErr *sqlite.Error
	if !errors.As(err, &driverErr) {
		return false
	}
	switch driverErr.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return true
	default:
		return false
	}
}

// isUnwritable reports whether a database that cannot be opened for writing may still be open for reading.
func isUnwritable(err error) bool {
	var driverErr *sqlite.Error
	if !errors.As(err, &driverErr) {
		return errors.Is(err, core.ErrReadOnly)
	}
	switch driverErr.Code() & 0xff {
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return true
	default:
		return false
	}
}
