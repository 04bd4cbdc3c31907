package sqlitestore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

// open opens or creates the database, and prepares the queries of its user. What may go away by itself is no reason to
// fail: every operation tries again.
func open(ctx context.Context, path string, opts *Options, reads, writes []string) (*database, error) {
	if ctx == nil {
		return nil, fmt.Errorf("sqlitestore: open: %w: the context is nil", core.ErrInvalid)
	}
	options, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &database{
		options: options, reads: append(reads, selectVersion), writes: append(writes, selectVersion), ended: make(chan struct{}),
	}
	if d.path, err = resolvePath(path); err != nil {
		return nil, fmt.Errorf("sqlitestore: open %s: %w", path, err)
	}
	err = d.do(ctx, "open", func(*connections) error { return nil })
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, core.ErrUnavailable), errors.Is(err, core.ErrReadOnly):
		options.Logger.WarnContext(ctx, "sqlitestore: the database cannot be opened; calls fail until it can",
			"path", d.path, "error", err)
		return d, nil
	}
	return nil, err
}

// openError says of a file that cannot be opened that the store is unavailable, or cannot be written. What else is wrong
// with it, such as that it is damaged, concerns no single item.
func openError(err error) error {
	switch {
	case isBusy(err), isContextError(err), hasSentinel(err), sentinelOf(err) == nil:
		return err
	case sentinelOf(err) == core.ErrReadOnly: //nolint:errorlint // sentinelOf does not wrap
		return fmt.Errorf("%w: the file cannot be opened or created: %w", core.ErrReadOnly, err)
	}
	return fmt.Errorf("%w: the file cannot be opened: %w", core.ErrUnavailable, err)
}

// connect opens the file for writing if that is wanted and possible, and for reading otherwise.
func (d *database) connect(ctx context.Context) (*connections, error) {
	if d.options.ReadOnly {
		return d.connectReadOnly(ctx)
	}
	opened, err := d.connectWritable(ctx)
	if err == nil || isBusy(err) || isContextError(err) || errors.Is(err, core.ErrIncompatible) {
		return opened, err
	}
	opened, readErr := d.connectReadOnly(ctx)
	if readErr != nil {
		return nil, err
	}
	opened.unwritable = err
	if !d.warned.Swap(true) {
		d.options.Logger.WarnContext(ctx, "sqlitestore: the database is read-only, so updates will not be stored",
			"path", d.path, "error", err)
	}
	return opened, nil
}

// connectReadOnly opens the file without ever writing to it.
func (d *database) connectReadOnly(ctx context.Context) (*connections, error) {
	state, err := readFileState(d.path)
	if err != nil {
		return nil, err
	}
	found, err := inspect(ctx, d.path)
	if err != nil {
		return nil, err
	}
	if err := found.readable(); err != nil {
		return nil, err
	}
	readers, err := openPool(ctx, state.readOnlyConnection(d.path), readerCount(), d.reads)
	if err != nil {
		return nil, err
	}
	return &connections{readers: readers, state: state}, nil
}

const (
	firstSecondLook = 5 * time.Millisecond
	lastSecondLook  = 80 * time.Millisecond
)

// inspect looks at what is in the place of the database without changing anything, not even by creating a write-ahead
// log. It returns the zero header if there is nothing, and an error if it is something else or damaged.
//
// A look that leaves no trace takes no lock either, so that a database which another process is creating at this moment
// can look like a damaged or a foreign one. It has to look so several times.
func inspect(ctx context.Context, path string) (header, error) {
	for delay := firstSecondLook; ; delay *= 2 {
		found, err := lookAt(ctx, path)
		refused := isDamaged(err) || errors.Is(err, core.ErrIncompatible)
		if !refused || delay > lastSecondLook {
			return found, err
		}
		if err := pause.For(ctx, delay); err != nil {
			return header{}, err
		}
	}
}

func lookAt(ctx context.Context, path string) (header, error) {
	if err := checkDirectory(path); err != nil {
		return header{}, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return header{}, nil
	case err != nil:
		return header{}, fmt.Errorf("%w: %w", core.ErrUnavailable, err)
	case !info.Mode().IsRegular():
		return header{}, fmt.Errorf("%w: it is not a file (%v)", core.ErrUnavailable, info.Mode().Type())
	}
	return inspectFile(ctx, path)
}

func inspectFile(ctx context.Context, path string) (found header, err error) {
	state, err := readFileState(path)
	if err != nil {
		return header{}, err
	}
	db, err := sql.Open(driverName, state.readOnlyConnection(path))
	if err != nil {
		return header{}, err
	}
	defer func() { err = cmp.Or(err, db.Close()) }()
	ctx = context.WithoutCancel(ctx)
	err = checkLibrary(ctx, db)
	if err == nil {
		found, err = readHeader(ctx, db)
	}
	switch {
	case err == nil:
		return found, found.check(migrations())
	case isDamaged(err):
		return header{}, fmt.Errorf("%w: the file is damaged or not a database; it was left as it is: restore it from a copy, "+
			"or remove it to begin with an empty one, or choose another path: %w", core.ErrUnavailable, err)
	case isUnwritable(err):
		return header{}, fmt.Errorf("%w: check the permissions of the file and its directory: %w", core.ErrUnavailable, err)
	default:
		return header{}, err
	}
}

// writableConnection names the database for writing. The setting synchronous is part of what the package documentation
// promises about durability; journal_size_limit gives space back after a large Init.
func writableConnection(path string, mode accessMode) string {
	return connectionString(path, mode, false, "synchronous(NORMAL)", "cache_size(-16384)", "journal_size_limit(16777216)")
}

// connectWritable opens the file for reading and writing, and creates it if there is none.
func (d *database) connectWritable(ctx context.Context) (*connections, error) {
	if _, err := inspect(ctx, d.path); err != nil {
		return nil, err
	}
	db, err := sql.Open(driverName, writableConnection(d.path, readWriteCreate))
	if err != nil {
		return nil, err
	}
	// Not before the others are open, so that the write-ahead log is not removed in between.
	defer func() { _ = db.Close() }()
	if err := prepareFile(ctx, db); err != nil {
		return nil, err
	}
	writer, err := openPool(ctx, writableConnection(d.path, readWrite), 1, d.writes)
	if err != nil {
		return nil, err
	}
	readers, err := openPool(ctx, connectionString(d.path, readWrite, false, "query_only(1)"), readerCount(), d.reads)
	if err != nil {
		return nil, cmp.Or(err, writer.close())
	}
	opened := &connections{readers: readers, writer: writer}
	if opened.state, err = readFileState(d.path); err != nil {
		return nil, cmp.Or(err, readers.close(), writer.close())
	}
	d.warned.Store(false)
	return opened, nil
}

// prepareFile brings a new or older database up to date. A current one it does not lock, so that opening does not wait
// for another process that writes.
func prepareFile(ctx context.Context, db *sql.DB) (err error) {
	ctx = context.WithoutCancel(ctx)
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, conn.Close()) }()
	if err := checkLibrary(ctx, conn); err != nil {
		return err
	}
	steps := migrations()
	found, err := readHeader(ctx, conn)
	if err != nil {
		return err
	}
	if err := found.check(steps); err != nil {
		return err
	}
	if err := requireWritable(conn); err != nil {
		return err
	}
	if err := useWriteAheadLog(ctx, conn); err != nil {
		return err
	}
	if found.version == layoutVersion {
		return nil
	}
	return inTransaction(ctx, conn, func(tx *sql.Tx) error { return migrate(ctx, tx, steps) })
}

// requireWritable returns an error if SQLite was only allowed to open the file for reading, which it does silently.
func requireWritable(conn *sql.Conn) error {
	return conn.Raw(func(driverConn any) error {
		file, ok := driverConn.(interface {
			IsReadOnly(schema string) (bool, error)
		})
		if !ok {
			return nil
		}
		isReadOnly, err := file.IsReadOnly("main")
		if isReadOnly {
			return fmt.Errorf("%w: the file cannot be opened for writing", core.ErrReadOnly)
		}
		return err
	})
}

func inTransaction(ctx context.Context, conn *sql.Conn, fn func(*sql.Tx) error) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func useWriteAheadLog(ctx context.Context, conn *sql.Conn) error {
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("%w: the file system cannot hold a write-ahead log (journal mode %q); use a local one",
			core.ErrUnavailable, mode)
	}
	return nil
}
