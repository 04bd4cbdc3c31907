package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/cleatdev/cleat/core"
)

// database is an open file: what [Store] and [BigSegments] have in common.
type database struct {
	lifetime
	path          string
	options       *Options
	reads, writes []string // the queries to prepare
	file          *handle
	// unwritable is why the database is read-only although that was not asked for.
	unwritable error
}

// readerCount is how many reads may run at once. SQLite reads compete for nothing but the processors.
func readerCount() int { return max(4, runtime.GOMAXPROCS(0)) }

// read calls fn with a connection that sees the last committed state in each query. It may call fn again after a
// failure.
func (d *database) read(ctx context.Context, operation string, fn func(context.Context, *pool) error) error {
	return d.do(ctx, operation, d.options.ReadTimeout, func(ctx context.Context) error {
		return d.use(ctx, func(c *connections) error {
			return c.readers.use(ctx, func(p *pool) error { return fn(ctx, p) })
		})
	})
}

// write calls fn in a transaction that has the write lock. It may call fn again after a failure.
func (d *database) write(
	ctx context.Context, operation string, timeout time.Duration, fn func(context.Context, transaction) error,
) error {
	return d.do(ctx, operation, timeout, func(ctx context.Context) error {
		if d.options.ReadOnly || d.unwritable != nil {
			return d.refuseWrite()
		}
		return d.use(ctx, func(c *connections) error {
			return c.writer.use(ctx, func(p *pool) error {
				return p.transact(ctx, func(tx transaction) error {
					if err := checkVersion(ctx, tx); err != nil {
						return err
					}
					return fn(ctx, tx)
				})
			})
		})
	})
}

// use calls fn with the connections, and again as long as other connections are in its way.
func (d *database) use(ctx context.Context, fn func(*connections) error) error {
	return retryBusy(ctx, d.options.BusyTimeout, func() error { return d.file.use(ctx, fn) })
}

func (d *database) refuseWrite() error {
	if d.unwritable != nil {
		return fmt.Errorf("%w: it could not be opened for writing: %w", core.ErrReadOnly, d.unwritable)
	}
	return fmt.Errorf("%w: it was opened with Options.ReadOnly", core.ErrReadOnly)
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

// errTimeout is the cause of the end of a context that an operation's own time-out ended.
var errTimeout = errors.New("the time-out of the operation ended")

// do runs one operation on the open database: with a deadline, ended by Close, its error explained.
func (d *database) do(
	ctx context.Context, operation string, timeout time.Duration, fn func(context.Context) error,
) error {
	if ctx == nil {
		return fmt.Errorf("sqlitestore: %s: %w: the context is nil", operation, core.ErrInvalid)
	}
	if !d.enter() {
		return fmt.Errorf("sqlitestore: %s: %w", operation, core.ErrClosed)
	}
	defer d.leave()
	bounded, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	defer context.AfterFunc(d.ended, cancel)()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := fn(bounded)
	if isContextError(err) && ctx.Err() == nil && d.ended.Err() != nil {
		return fmt.Errorf("sqlitestore: %s: %w", operation, core.ErrClosed)
	}
	return explain(ctx, err, "sqlitestore: %s in %s", operation, d.path)
}

// explain says what failed and translates err, which came from an operation with a context derived from ctx.
func explain(ctx context.Context, err error, format string, args ...any) error {
	switch {
	case err == nil:
		return nil
	case isContextError(err) && ctx.Err() != nil:
		return ctx.Err()
	case isContextError(err):
		err = fmt.Errorf("%w: %w: %w", core.ErrUnavailable, errTimeout, err)
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), translate(err))
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
		timer := time.NewTimer(delay/2 + rand.N(delay))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if context.Cause(ctx) == errTimeout { //nolint:errorlint // set by do as it is
				return err
			}
			return ctx.Err()
		}
	}
}

// close ends all operations and closes the file.
func (d *database) close() error {
	return d.finish(func() error {
		if err := d.file.close(); err != nil {
			return fmt.Errorf("sqlitestore: close %s: %w", d.path, translate(err))
		}
		return nil
	})
}
