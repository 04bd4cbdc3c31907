package sqlitestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

// database is what [Store] and [BigSegments] have in common: a file and the connections to it. It notices when they are not
// those that the file needs, because the file could not be opened, was removed or replaced, or, of a file that is only
// read, changed; and then opens the file again.
type database struct {
	path          string
	options       *Options
	reads, writes []string // the queries to prepare

	ended   chan struct{} // closed by close
	warned  atomic.Bool   // that the file is read-only, since it was last open for writing
	mu      sync.RWMutex  // held for reading during operations, for writing while opening and closing
	closed  bool
	current *connections // nil if opening failed
}

// connections are the open connections to a file.
type connections struct {
	readers    *pool
	writer     *pool // nil if the file is only read
	state      fileState
	unwritable error // why the file is only read although that was not asked for
}

// readerCount is how many reads may run at once. SQLite reads compete for nothing but the processors.
func readerCount() int { return max(4, runtime.GOMAXPROCS(0)) }

// read calls fn with a connection that sees the last committed state in each query. It may call fn again after a
// failure.
func (d *database) read(ctx context.Context, operation string, fn func(context.Context, *pool) error) error {
	err := d.do(ctx, operation, func(c *connections) error {
		return c.readers.use(ctx, func(p *pool) error { return fn(ctx, p) })
	})
	if errors.Is(err, core.ErrReadOnly) { // there is no database, and none can be made
		return fmt.Errorf("%w: %w", core.ErrUnavailable, err)
	}
	return err
}

// write calls fn in a transaction that has the write lock. It may call fn again after a failure.
func (d *database) write(ctx context.Context, operation string, fn func(context.Context, transaction) error) error {
	inTransaction := func(c *connections) error {
		switch {
		case c.unwritable != nil:
			return fmt.Errorf("%w: it cannot be opened for writing: %w", core.ErrReadOnly, c.unwritable)
		case c.writer == nil:
			return fmt.Errorf("%w: it was opened with Options.ReadOnly", core.ErrReadOnly)
		}
		return c.writer.use(ctx, func(p *pool) error {
			return p.transact(ctx, func(tx transaction) error {
				if err := checkVersion(ctx, tx); err != nil {
					return err
				}
				return fn(ctx, tx)
			})
		})
	}
	err := d.do(ctx, operation, inTransaction)
	if errors.Is(err, core.ErrReadOnly) && d.becameWritable(ctx) {
		err = d.do(ctx, operation, inTransaction)
	}
	return err
}

const selectVersion = "PRAGMA user_version"

// checkVersion keeps this process from writing in an old layout after a newer one has brought the database up to date.
func checkVersion(ctx context.Context, tx transaction) error {
	var version int
	if err := tx.queryRow(ctx, selectVersion).Scan(&version); err != nil {
		return err
	}
	if version != layoutVersion {
		return fmt.Errorf("%w: the database has meanwhile got layout version %d and this version of cleat writes version %d; "+
			"update cleat", core.ErrIncompatible, version, layoutVersion)
	}
	return nil
}

// do runs one operation on the open database, again as long as other connections are in its way, and says of an error what
// failed.
func (d *database) do(ctx context.Context, operation string, fn func(*connections) error) error {
	switch {
	case ctx == nil:
		return fmt.Errorf("sqlitestore: %s: %w: the context is nil", operation, core.ErrInvalid)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	err := retryBusy(ctx, d.options.BusyTimeout, func() error { return d.use(ctx, fn) })
	if err == nil || isContextError(err) {
		return err
	}
	return fmt.Errorf("sqlitestore: %s in %s: %w", operation, d.path, translate(err))
}

// isContextError reports whether err is that of a context itself. An error that wraps one has been explained already.
func isContextError(err error) bool {
	return err == context.Canceled || err == context.DeadlineExceeded //nolint:errorlint // identity is what is meant
}

const (
	firstBusyDelay = time.Millisecond
	lastBusyDelay  = 16 * time.Millisecond
)

// retryBusy calls fn until no other connection is in its way, for at most limit. Delays are random, so that several
// processes do not keep meeting.
func retryBusy(ctx context.Context, limit time.Duration, fn func() error) error {
	start := time.Now()
	for delay := firstBusyDelay; ; delay = min(2*delay, lastBusyDelay) {
		err := fn()
		if !isBusy(err) || time.Since(start) >= limit {
			return err
		}
		if err := pause.For(ctx, delay/2+rand.N(delay)); err != nil {
			return err
		}
	}
}

// attempts is how often an operation is repeated because the file has changed under it. Only a process that keeps changing
// it during every attempt can use them up.
const attempts = 10

var errUnstable = errors.New("the file changed during the operation")

// use calls fn with the connections, and again if the file turns out to have changed meanwhile.
func (d *database) use(ctx context.Context, fn func(*connections) error) error {
	for range attempts {
		err := d.try(fn)
		if !errors.Is(err, errUnstable) {
			return err
		}
		if err := d.reopen(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %w, %d times in a row", core.ErrUnavailable, errUnstable, attempts)
}

// try returns errUnstable if the connections are not those for the file's state before and after fn.
func (d *database) try(fn func(*connections) error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return core.ErrClosed
	}
	if !d.upToDate() {
		return errUnstable
	}
	err := fn(d.current)
	if !d.upToDate() {
		return errUnstable
	}
	return err
}

func (d *database) upToDate() bool {
	if d.current == nil {
		return false
	}
	now, err := readFileState(d.path)
	return err == nil && d.current.covers(now)
}

// covers reports whether the connections are right for a file in state now. A file that they write, or that has a
// write-ahead log, SQLite itself keeps an eye on, and the log cannot go away as long as they are open.
func (c *connections) covers(now fileState) bool {
	return c.state.sameFile(now) && (c.writer != nil || c.state.hasLog || c.state.unchanged(now))
}

func (d *database) reopen(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return core.ErrClosed
	case d.upToDate():
		return nil
	}
	if err := d.release(); err != nil {
		return err
	}
	opened, err := d.connect(ctx)
	if err != nil {
		return openError(err)
	}
	d.current = opened
	return nil
}

// becameWritable opens the file for writing if it could only be opened for reading and that has changed.
func (d *database) becameWritable(ctx context.Context) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.current == nil || d.current.unwritable == nil {
		return false
	}
	opened, err := d.connectWritable(ctx)
	if err != nil {
		d.current.unwritable = err
		return false
	}
	_ = d.release() // it was only read
	d.current = opened
	d.options.Logger.InfoContext(ctx, "sqlitestore: the database can be written again", "path", d.path)
	return true
}

// close waits for the operations that are running, and closes the file.
func (d *database) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	close(d.ended)
	if err := d.release(); err != nil {
		return fmt.Errorf("sqlitestore: close %s: %w", d.path, translate(err))
	}
	return nil
}

// release closes the connections. The readers go first, so that the writer is the one that copies the write-ahead log
// back into the file and removes it.
func (d *database) release() error {
	if d.current == nil {
		return nil
	}
	err := d.current.readers.close()
	if d.current.writer != nil {
		err = cmp.Or(err, d.current.writer.close())
	}
	d.current = nil
	return err
}
