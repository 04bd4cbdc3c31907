package caching

import (
	"context"
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
)

// closeLimit is how long Close takes at most.
const closeLimit = 10 * time.Second

// Close closes the store below, ends what is in flight with [core.ErrClosed], and waits until nothing of the wrapper
// runs any more. It returns what the store's Close returned; a second Close returns nil.
//
// It waits for at most 10 s: what a store that does not heed its contexts has not ended by then is left behind and logged.
// If that is the store's Close, the error wraps [core.ErrUnavailable].
func (w *CachingStoreWrapper) Close() error {
	if !w.run.beginClose() {
		return nil
	}
	deadline := time.NewTimer(closeLimit)
	defer deadline.Stop()
	err := w.awaitEnd(w.closeStore(), deadline.C)
	w.epoch.Store(newEpoch(w.life))
	w.health.listeners.Close()
	w.changes.Close()
	return err
}

// closeStore closes the store on a goroutine, which ends with the store's Close, and returns where the error will be.
func (w *CachingStoreWrapper) closeStore() <-chan error {
	closed := make(chan error, 1)
	go func() {
		defer w.run.calling("Close")()
		_, err := guarded(context.Background(), func(context.Context) (struct{}, error) { return struct{}{}, w.core.Close() })
		closed <- err
	}()
	return closed
}

// awaitEnd waits until nothing is pending and the store is closed, and returns the error of the latter. At the deadline it
// leaves behind what has not ended.
func (w *CachingStoreWrapper) awaitEnd(closed <-chan error, deadline <-chan time.Time) (err error) {
	for idle := w.run.idle; idle != nil || closed != nil; {
		select {
		case <-idle:
			idle = nil
		case err = <-closed:
			closed = nil
		case <-deadline:
			w.opts.Logger.Error("caching: calls of the data store have not ended; they are left behind",
				"store", fmt.Sprintf("%T", w.core), "calls", w.run.unfinished(), "limit", closeLimit)
			if closed != nil {
				err = fmt.Errorf("caching: %w: the store's Close has not ended within %v", core.ErrUnavailable, closeLimit)
			}
			return err
		}
	}
	return err
}
