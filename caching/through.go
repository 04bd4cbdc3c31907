package caching

import (
	"context"

	"github.com/cleatdev/cleat/core"
)

// attempt is a write of mode Off.
type attempt struct {
	whole bool // it replaces everything
	do    func(context.Context) error
	// What follows belongs to the writer's mu: whether it was repeated in vain, and whether others were refused while it waited for
	// that.
	repeated, missed bool
}

// took is what is found out when the attempt has succeeded.
func (a *attempt) took() event {
	if a.whole {
		return tookInit
	}
	return tookAll
}

// through makes a write in mode Off. One that replaces everything is repeated in place of the one that was refused before it: the
// status says but once that it is wanted.
func (q *writer) through(ctx context.Context, a *attempt) error {
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
	switch {
	case refused != nil && a.whole:
		q.again = a
	case refused != nil && q.again != nil:
		q.again.missed = true
	}
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
	err := a.do(limited)
	if a.whole && (err == nil || !failsAll(err)) {
		q.w.db.note(a.took(), nil)
	}
	if err == nil || !failsAll(err) || ctx.Err() != nil || q.w.store.Closed() {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.w.db.now(); !s.answering() {
		return s.err()
	}
	q.refused, q.again = err, a
	q.wake()
	return err
}

// tryAgain repeats the last write that failed in mode Off.
func (q *writer) tryAgain(task) error {
	q.mu.Lock()
	again := q.again
	q.mu.Unlock()
	if again == nil {
		return nil // the database went away meanwhile, and came back
	}
	err := again.do(q.w.db.now().writing)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil && failsAll(err) {
		again.repeated = true
		return err
	}
	if q.again != again {
		return nil // something has taken its place, and is next
	}
	q.again, q.refused = nil, nil
	if s := q.w.db.now().status(); again.missed && s.Available && s.Stale { // which the data source has been told, and is told only of changes
		q.w.db.note(again.took(), nil)
	}
	q.w.db.noteLoss(again.took(), nil, again.missed)
	return nil
}

// forget notes, in mode Off, that what was refused is not repeated any more. It reports whether anything may have been refused.
func (q *writer) forget() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.again, q.refused = nil, nil
	return q.tried
}
