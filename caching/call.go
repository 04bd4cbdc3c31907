package caching

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// suspicionShare is the part of ReadTimeout (one in …) after which a call that has not been answered makes the monitor look.
const suspicionShare = 4

// errClosedElsewhere is the cause of the state closed.
var errClosedElsewhere = fmt.Errorf("caching: %w: the data store was closed by another owner", core.ErrUnavailable)

// check returns an error if nothing can be done with ctx or the wrapper.
func (w *CachingStoreWrapper) check(ctx context.Context) error {
	switch {
	case ctx == nil:
		return fmt.Errorf("caching: %w: nil context", core.ErrInvalid)
	case w.run.Closed():
		return core.ErrClosed
	default:
		return ctx.Err()
	}
}

// call makes one call of the core, of the method with the given name. A failure, or no answer for a while, makes the monitor
// look at the database.
func call[T any](
	parent context.Context, w *CachingStoreWrapper, name string, limit time.Duration, op func(context.Context) (T, error),
) (T, error) {
	suspicious := time.AfterFunc(w.opts.ReadTimeout/suspicionShare, func() {
		w.slow.Store(true)
		w.wakeMonitor()
	})
	defer suspicious.Stop()
	result, err := ask(parent, w, name, limit, op)
	switch {
	case err == nil:
		w.slow.Store(false)
	case failsAll(err) && parent.Err() == nil:
		w.wakeMonitor()
	}
	return result, err
}

// ask makes one call of the core.
func ask[T any](
	parent context.Context, w *CachingStoreWrapper, name string, limit time.Duration, op func(context.Context) (T, error),
) (T, error) {
	result, err := lifecycle.Call(parent, w.run, name, limit, op)
	if errors.Is(err, core.ErrClosed) && !w.run.Closed() {
		err = errClosedElsewhere
		w.db.note(isClosed, err)
	}
	return result, err
}

// failsAll reports whether an error of the core may mean that the database is not well: whether it concerns more than
// single items or the arguments.
func failsAll(err error) bool {
	_, only := core.ItemErrors(err)
	return !only && !errors.Is(err, core.ErrInvalid)
}

// wakeMonitor makes the monitor look at the database.
func (w *CachingStoreWrapper) wakeMonitor() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}
