package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
)

// Names in the table metadata.
const (
	initializedName   = "initialized"
	lastUpToDateName  = "big_segments_synchronized_on"
	segmentCursorName = "big_segments_cursor"
)

const (
	selectMetadata = `SELECT value FROM metadata WHERE prefix = ? AND name = ?`
	addMetadata    = `INSERT INTO metadata (prefix, name, value, updated_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`
	setMetadata    = `INSERT INTO metadata (prefix, name, value, updated_at) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`
)

// metadata returns the value with the given name; found is false if there is none.
func (p *pool) metadata(ctx context.Context, prefix, name string) (value string, found bool, err error) {
	return scanMetadata(p.queryRow(ctx, selectMetadata, prefix, name))
}

func scanMetadata(row *sql.Row) (value string, found bool, err error) {
	err = row.Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return value, err == nil, err
}
