package sqlitestore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const driverName = "sqlite"

// pool is a fixed number of connections with their prepared statements. Its slots are there so that waiting for a
// connection ends with the context, while what runs on a connection is never interrupted: SQLite's way to interrupt
// rolls back and costs the connection, and every statement here is short.
type pool struct {
	db         *sql.DB
	slots      chan struct{}
	statements map[string]*sql.Stmt
}

// openPool opens the database and prepares the queries. The tables must exist.
func openPool(ctx context.Context, connection string, size int, queries []string) (*pool, error) {
	db, err := sql.Open(driverName, connection)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	p := &pool{db: db, slots: make(chan struct{}, size), statements: make(map[string]*sql.Stmt, len(queries))}
	for _, query := range queries {
		statement, err := db.PrepareContext(context.WithoutCancel(ctx), query) //nolint:sqlclosecheck // closed with the pool
		if err != nil {
			return nil, cmp.Or(err, p.close())
		}
		p.statements[query] = statement
	}
	return p, nil
}

// use calls fn as soon as a connection is free.
func (p *pool) use(ctx context.Context, fn func(*pool) error) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.slots }()
	return fn(p)
}

// each runs a prepared query and calls scan for every row. The caller has a slot.
func (p *pool) each(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	return eachRow(ctx, p.statements[query], scan, args)
}

func eachRow(ctx context.Context, query *sql.Stmt, scan func(*sql.Rows) error, args []any) error {
	rows, err := query.QueryContext(context.WithoutCancel(ctx), args...)
	return eachOf(ctx, rows, err, scan)
}

// eachOf calls scan for each row of what a query has returned.
func eachOf(ctx context.Context, rows *sql.Rows, err error, scan func(*sql.Rows) error) (scanErr error) {
	if err != nil {
		return err
	}
	defer func() { scanErr = cmp.Or(scanErr, rows.Close()) }()
	for rows.Next() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *pool) queryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return p.statements[query].QueryRowContext(context.WithoutCancel(ctx), args...)
}

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

// close closes all connections. No call uses the pool any more.
func (p *pool) close() error {
	var errs []error
	for _, statement := range p.statements {
		errs = append(errs, statement.Close())
	}
	return errors.Join(append(errs, p.db.Close())...)
}

// transaction is a transaction that writes. Its methods disregard the end of ctx, like those of pool.
type transaction struct {
	tx    *sql.Tx
	pool  *pool
	bound map[string]*sql.Stmt // statements in use; binding one to the transaction is not free
}

// statement returns a prepared statement for the transaction, with which it is closed.
func (t transaction) statement(ctx context.Context, query string) *sql.Stmt {
	statement, found := t.bound[query]
	if !found {
		statement = t.tx.StmtContext(context.WithoutCancel(ctx), t.pool.statements[query])
		t.bound[query] = statement
	}
	return statement
}

// exec runs a prepared statement and reports whether it changed any row.
func (t transaction) exec(ctx context.Context, query string, args ...any) (changed bool, err error) {
	statement := t.statement(ctx, query) //nolint:sqlclosecheck // closed with the transaction
	result, err := statement.ExecContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

func (t transaction) each(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	return eachRow(ctx, t.statement(ctx, query), scan, args)
}

func (t transaction) queryRow(ctx context.Context, query string, args ...any) *sql.Row {
	statement := t.statement(ctx, query) //nolint:sqlclosecheck // closed with the transaction
	return statement.QueryRowContext(context.WithoutCancel(ctx), args...)
}

// transact runs fn in a transaction that has the write lock from its beginning. It commits if fn returns nil and ctx has
// not ended. The caller has the slot of a pool of one connection.
func (p *pool) transact(ctx context.Context, fn func(transaction) error) (err error) {
	uncancelled := context.WithoutCancel(ctx)
	conn, err := p.db.Conn(uncancelled)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, conn.Close()) }()
	tx, err := conn.BeginTx(uncancelled, nil)
	if err != nil {
		return err
	}
	if err = fn(transaction{tx: tx, pool: p, bound: make(map[string]*sql.Stmt)}); err == nil {
		err = ctx.Err()
	}
	if err == nil {
		return tx.Commit()
	}
	// SQLite has rolled back by itself after some errors and then refuses to do so again. Whether that was the reason or
	// something worse, a new connection is in order.
	if tx.Rollback() != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}
