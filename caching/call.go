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

// check returns an error if nothing can be done with ctx or the wrapper.
func (w *CachingStoreWrapper) check(ctx context.Context) error {
	switch {
	case ctx == nil:
		return fmt.Errorf("caching: %w: nil context", core.ErrInvalid)
	case w.store.Closed():
		return core.ErrClosed
	default:
		return ctx.Err()
	}
}

// suspect notes that a call of the store begins. If it is not answered for a while, the monitor looks at the database, and if it
// fails too, which answered notes.
func (w *CachingStoreWrapper) suspect() *time.Timer {
	return w.suspicions.start(w.opts.ReadTimeout / suspicionShare)
}

// answered notes the end of the call of which the beginning was noted.
func (w *CachingStoreWrapper) answered(ctx context.Context, suspicion *time.Timer, err error) {
	w.suspicions.stop(suspicion)
	switch {
	case err == nil:
		w.slow.Store(false)
	case w.noteClosed(err):
	case failsAll(err) && ctx.Err() == nil:
		w.wakeMonitor()
	}
}

// noteClosed notes if another owner has closed the store, and reports whether an error says so.
func (w *CachingStoreWrapper) noteClosed(err error) bool {
	closed := errors.Is(err, lifecycle.ErrClosedElsewhere)
	if closed {
		w.db.note(isClosed, err)
	}
	return closed
}

// noAnswer makes the monitor look at the database because of a call that has not been answered for a while.
func (w *CachingStoreWrapper) noAnswer() {
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
