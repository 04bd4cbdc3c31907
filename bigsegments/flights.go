package bigsegments

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/cleatdev/cleat/internal/lifecycle"
)

// maxQueries is for how many memberships the store is asked at once.
const maxQueries = 100

// flight is one query for a membership, and all who wait for its outcome.
type flight struct {
	ctx     context.Context // of the caller who came first, for its values
	key     string
	callers int
	turn    *list.Element // its place among those who wait for a turn; nil if it does not
	sent    time.Time     // when it got its turn
	done    chan struct{} // closed when what follows is there
	entry   entry
	ok      bool
}

// flights makes one query of many for the same context, and limits how many there are at once. A query belongs to all
// who wait for it: one that waits for its turn is given up when the last of them has left.
type flights struct {
	run   *lifecycle.Group            // of which the queries are
	fly   func(*flight) (entry, bool) // makes the query
	limit time.Duration               // how long a query may take; no caller joins one that takes longer

	mu      sync.Mutex // guards what follows and, until they have their outcome, the flights
	byKey   map[string]*flight
	waiting list.List // of *flight, without an entry for those that have their turn
	flying  int       // how many have a turn
}

// join makes the caller one of those who wait for the context's membership. Who joins must leave. If there is no flight yet,
// it asks begin whether there is to be one; if not, or if the flight is overdue, join returns nil.
func (q *flights) join(ctx context.Context, key string, begin func() bool) *flight {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.byKey[key]
	if f == nil {
		if !begin() {
			return nil
		}
		f = &flight{ctx: ctx, key: key, done: make(chan struct{})}
		q.byKey[key] = f
		f.turn = q.waiting.PushFront(f)
		q.dispatch()
	} else if !f.sent.IsZero() && time.Since(f.sent) >= q.limit {
		return nil
	}
	f.callers++
	return f
}

// leave is what a caller does who does not wait any more.
func (q *flights) leave(f *flight) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f.callers--; f.callers == 0 && f.turn != nil {
		q.remove(f)
	}
}

// refuse ends all flights that wait for their turn.
func (q *flights) refuse() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for first := q.waiting.Front(); first != nil; first = q.waiting.Front() {
		f := first.Value.(*flight)
		q.remove(f)
		close(f.done)
	}
}

// remove takes a flight out that waits for its turn. The caller holds mu.
func (q *flights) remove(f *flight) {
	q.waiting.Remove(f.turn)
	f.turn = nil
	delete(q.byKey, f.key)
}

// dispatch gives free turns to the callers who came last: a caller who has waited for long may leave before there is an answer,
// and if that went on, no caller would get one. What begins once the manager is closed never lands; its callers leave then. The
// caller holds mu.
func (q *flights) dispatch() {
	for q.flying < maxQueries && q.waiting.Len() > 0 {
		f := q.waiting.Remove(q.waiting.Front()).(*flight)
		f.turn, f.sent = nil, time.Now()
		q.flying++
		q.run.Go(func() {
			entry, ok := q.fly(f)
			q.land(f, entry, ok)
		})
	}
}

// land tells everybody the outcome, and passes the turn on.
func (q *flights) land(f *flight, entry entry, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f.entry, f.ok = entry, ok
	close(f.done)
	delete(q.byKey, f.key)
	q.flying--
	q.dispatch()
}
