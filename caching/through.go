package caching

import (
	"context"

	"github.com/cleatdev/cleat/core"
)

// through makes a write in mode Off.
func (q *writer) through(ctx context.Context, op func(context.Context) error) error {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return ctx.Err()
	case <-q.w.store.Context().Done():
		return core.ErrClosed
	}
	q.mu.Lock()
	q.tried = true
	s, refused := q.w.db.now(), q.refused
	q.mu.Unlock()
	switch {
	case !s.answering():
		return s.err()
	case refused != nil:
		return untilNextAttempt(refused)
	}
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.writing, cancel)()
	err := op(limited)
	if err == nil || !failsAll(err) || ctx.Err() != nil || q.w.store.Closed() {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.w.db.now(); !s.answering() {
		return s.err()
	}
	q.refused, q.again = err, op
	q.wake()
	return err
}

// tryAgain repeats the last write that failed in mode Off.
func (q *writer) tryAgain(task) error {
	if err := q.again(q.w.db.now().writing); err != nil && failsAll(err) {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.again, q.refused = nil, nil
	q.w.db.noteLoss(tookAll, nil, true) // others may have been refused meanwhile
	return nil
}

// forget notes, in mode Off, that what was refused is not repeated any more. It reports whether anything may have been refused.
func (q *writer) forget() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.again, q.refused = nil, nil
	return q.tried
}
