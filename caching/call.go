package caching

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	defer w.suspicions.stop(w.suspicions.start(w.opts.ReadTimeout / suspicionShare))
	result, err := ask(parent, w, name, limit, op)
	switch {
	case err == nil:
		w.slow.Store(false)
	case failsAll(err) && parent.Err() == nil:
		w.wakeMonitor()
	}
	return result, err
}

// suspect makes the monitor look at the database because of a call that has not been answered for a while.
func (w *CachingStoreWrapper) suspect() {
	w.slow.Store(true)
	w.wakeMonitor()
}

// timers are timers that are used again, because there is one in every call.
type timers struct{ pool sync.Pool }

func newTimers(first func() *time.Timer) *timers {
	return &timers{sync.Pool{New: func() any { return first() }}}
}

func (t *timers) start(d time.Duration) *time.Timer {
	timer := t.pool.Get().(*time.Timer)
	timer.Reset(d)
	return timer
}

func (t *timers) stop(timer *time.Timer) {
	timer.Stop()
	t.pool.Put(timer)
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
