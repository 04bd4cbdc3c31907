package caching

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cleatdev/cleat/core"
)

// check returns an error if nothing can be done with ctx or the wrapper.
func (w *CachingStoreWrapper) check(ctx context.Context) error {
	switch {
	case ctx == nil:
		return fmt.Errorf("caching: %w: nil context", core.ErrInvalid)
	case w.run.isClosed():
		return core.ErrClosed
	default:
		return ctx.Err()
	}
}

// readingAll is the name of the operation whose time grows with what the database holds.
const readingAll = "GetAll"

// call makes one call of the database, of the method with the given name, with a deadline. A failure that begins an
// outage does so here, and in no other place. What ends after Close has begun comes to nothing, because Close may not have
// waited for it.
func call[T any](
	parent context.Context, w *CachingStoreWrapper, name string, limit time.Duration, op func(context.Context) (T, error),
) (T, error) {
	if !w.run.enter() {
		var zero T
		return zero, core.ErrClosed
	}
	defer w.run.leave()
	defer w.run.calling(name)()
	mark := w.health.mark()
	ctx, cancel := w.run.withLimit(parent, limit)
	defer cancel()
	result, err := guarded(ctx, op)
	if w.run.isClosed() {
		return result, core.ErrClosed
	}
	if err == nil {
		return result, nil
	}
	if errors.Is(err, core.ErrClosed) {
		err = errClosedElsewhere
	}
	tooSlow := isTooSlow(ctx, err)
	if tooSlow {
		err = timeLimitError(limit, err)
	}
	switch o := outageFrom(err); {
	case o == nil:
	case tooSlow && name == readingAll: // There may only be much to read. The monitor finds out whether it still answers.
		w.wakeMonitor()
	case w.health.trip(mark, o):
		w.wakeMonitor()
	}
	return result, err
}

// guarded makes an error of a panic, which would end the process, because it is nobody's goroutine that runs op.
func guarded[T any](ctx context.Context, op func(context.Context) (T, error)) (result T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("caching: the store panicked: %w: %v\n%s", core.ErrUnavailable, cause, debug.Stack())
		}
	}()
	return op(ctx)
}

// wakeMonitor makes the monitor look at the database, or, in an outage, begin to wait for its end.
func (w *CachingStoreWrapper) wakeMonitor() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}
