package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"

	"modernc.org/sqlite" // looks at the lock from outside, as any other program would
)

// sqliteBusy is SQLite's result code SQLITE_BUSY: another connection holds the lock.
const sqliteBusy = 5

// writeTransactionOpen reports whether another process is inside a writing transaction on the SQLite file: it is if a
// writing transaction cannot be begun here. It changes nothing in the file.
func writeTransactionOpen(ctx context.Context, path string) (open bool, err error) {
	db, err := sql.Open("sqlite", probeName(path))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	var refused *sqlite.Error
	switch {
	case err == nil:
		return false, tx.Rollback()
	case errors.As(err, &refused) && refused.Code() == sqliteBusy:
		return true, nil
	default:
		return false, err
	}
}

// probeName is the driver's name for the file: transactions write from their beginning, and nothing waits for a lock.
func probeName(path string) string {
	name := url.URL{Scheme: "file", Path: path, RawQuery: "mode=rw&_txlock=immediate&_pragma=busy_timeout(0)"}
	return name.String()
}
