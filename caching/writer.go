package caching

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cleatdev/cleat/core"
)

// writer brings to the database what memory has and the database has not. One goroutine writes: an Init if one is due, and
// otherwise item by item, or all that waits at once if a change set is part of it. The last version of each item counts.
type writer struct {
	w      *CachingStoreWrapper
	signal chan struct{} // wakes the goroutine
	turn   chan struct{} // holds a token while a caller writes in mode Off, so that an Init undoes nothing that is newer

	mu    sync.Mutex    // guards what follows, and which generation is the current one
	queue []core.Change // items that wait to be written, and some that an Init has replaced
	taken int           // how many of queue are done with
	// together is true if some of queue is a change set, so that all that waits is written in one step.
	together bool
	inits    []*write // that end with the next Init
	refused  error    // why the last write failed; nil if it succeeded
	// again repeats the last write that failed in mode Off, in which memory keeps nothing, so as to find out when writes succeed;
	// nil if there is none. tried is true if this process has tried to write in that mode.
	again *attempt
	tried bool
	// compareAt is when the database is compared with a generation of which it is unsure whether it has it.
	compareAt time.Time
}

func newWriter(w *CachingStoreWrapper) *writer {
	return &writer{w: w, signal: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
}

func (q *writer) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// upsert takes an item up, and returns nil if what is known is as new.
func (q *writer) upsert(of core.Change, item *core.Item) *write {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.add(of, item)
	if t != nil {
		q.begin(t)
	}
	return t
}

// upsertAll takes items up that are written in one step, if the store can.
func (q *writer) upsertAll(data []core.Collection) (writes []*write) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for of, item := range changesOf(data) {
		if t := q.add(of, item); t != nil {
			writes = append(writes, t)
		}
	}
	q.together = q.together || len(writes) > 1 && q.w.store.AppliesChangeSets()
	for _, t := range writes {
		q.begin(t)
	}
	return writes
}

// add puts an item into memory and the queue, and returns nil if what is known is as new. The caller holds mu.
func (q *writer) add(of core.Change, item *core.Item) *write {
	k := q.w.gen.Load().kindFor(of.Kind)
	known := k.lookup(of.Key)
	t := k.write(of.Key, item)
	if t != nil && (known == nil || known.write == nil) { // otherwise it is in the queue
		q.queue = append(q.queue, of)
	}
	return t
}

// init takes up data that replaces everything, unless it is invalid.
func (q *writer) init(data []core.Collection) (*write, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := q.w.gen.Load()
	next, err := before.successor(data)
	if err != nil {
		return nil, err
	}
	q.w.gen.Store(next)
	q.w.initialized.Store(true)
	t := newWrite()
	q.inits = append(q.inits, t)
	for _, k := range before.kinds() {
		if next.kind(k.name) == k {
			continue
		}
		for _, s := range k.slots.All() {
			if replaced := s.value.Load().write; replaced != nil {
				q.inits = append(q.inits, replaced)
			}
		}
	}
	q.begin(t)
	return t, nil
}

// begin makes the goroutine write, or tells the caller at once why it will not. The caller holds mu.
func (q *writer) begin(t *write) {
	switch s := q.w.db.now(); {
	case !s.answering():
		t.finish(false, s.err())
	case q.refused != nil:
		t.finish(false, untilNextAttempt(q.refused))
	default:
		q.wake()
	}
}

// untilNextAttempt is the error of writes that are not tried because the last one failed.
func untilNextAttempt(refused error) error {
	if errors.Is(refused, core.ErrReadOnly) || errors.Is(refused, core.ErrConflict) || errors.Is(refused, core.ErrUnavailable) {
		return fmt.Errorf("caching: not written until the next attempt: %w", refused)
	}
	return fmt.Errorf("caching: not written until the next attempt: %w: %w", core.ErrUnavailable, refused)
}

// refusal returns why the last write failed; nil if it succeeded.
func (q *writer) refusal() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refused
}

// noteRefusal notes that writes fail although the database answers, if the last two did.
func (q *writer) noteRefusal() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refused != nil && (q.again == nil || q.again.repeated) {
		q.w.db.note(refuses, q.refused)
	}
}

// behind reports whether anything waits to be written.
func (q *writer) behind() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.w.gen.Load().due.Load() == initPending || q.taken < len(q.queue)
}

// flush waits until no Init waits to be written, or the database is not healthy, but not for longer than limit.
func (q *writer) flush(limit time.Duration) {
	for end := time.Now().Add(limit); q.w.gen.Load().due.Load() == initPending && q.w.db.now().state == healthy && time.Now().Before(end); {
		if !q.w.rest(flushPause) {
			return
		}
	}
}

// flushPause is how long flush waits between two looks.
const flushPause = 2 * time.Millisecond

const (
	// soonFor is for how long a database that takes no writes is tried again every soonDelay.
	soonFor   = 30 * time.Second
	soonDelay = 2 * time.Second
)

// run writes until the wrapper is closed.
func (q *writer) run() {
	retry := &backoff.ExponentialBackOff{
		InitialInterval: q.w.opts.MinRetryDelay, Multiplier: backoff.DefaultMultiplier, MaxInterval: q.w.opts.maxReadOnlyRetryDelay,
	}
	var since time.Time // of the first failure
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-q.w.store.Context().Done():
			q.fail(core.ErrClosed)
			return
		case <-q.signal:
		case <-timer.C:
		}
		if q.writeAll() {
			retry.Reset()
			since = time.Time{}
			if delay := q.untilCompare(); delay > 0 {
				timer.Reset(delay)
			}
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		delay := retry.NextBackOff()
		if time.Since(since) < soonFor {
			delay = min(delay, soonDelay)
		}
		timer.Reset(q.w.jittered(delay))
	}
}

// task is what the writer does next.
type task struct {
	do    func(*writer, task) error // nil if there is nothing to do
	g     *generation               // to be written or restored
	items []queued                  // to be written
}

// queued is an item that waits to be written.
type queued struct {
	of core.Change
	k  *kind
	v  *value
}

// writeAll writes until nothing waits, and reports false if two writes in a row fail, or one while writes are refused. An item
// that cannot be written is put off: the fault may be its own.
func (q *writer) writeAll() bool {
	failedBefore := false
	for {
		t := q.next()
		if t.do == nil {
			return true
		}
		err := t.do(q, t)
		othersWait := err != nil && len(t.items) == 1 && q.putOff(t.items[0].of)
		switch {
		case err == nil:
			failedBefore = false
		case failedBefore, q.refusal() != nil && !othersWait, !q.w.db.now().answering(), q.w.store.Closed():
			q.fail(err)
			return false
		default:
			failedBefore = true
		}
	}
}

// next returns what is to be written next, if anything is and may be.
func (q *writer) next() task {
	q.mu.Lock()
	defer q.mu.Unlock()
	s, g := q.w.db.now(), q.w.gen.Load()
	switch due := g.due.Load(); {
	case !s.answering() || q.w.store.Closed():
		return task{}
	case due == initPending:
		return task{do: (*writer).writeInit, g: g}
	case due == initUnsure && !time.Now().Before(q.compareAt):
		return task{do: (*writer).restoreInit, g: g}
	case q.again != nil:
		return task{do: (*writer).tryAgain}
	case s.state == wiped:
		return task{} // a part of the data must not pass for the whole
	}
	switch items := q.due(g); len(items) {
	case 0:
	case 1:
		return task{do: (*writer).writeItem, items: items}
	default:
		return task{do: (*writer).writeChangeSet, items: items}
	}
	q.queue, q.taken, q.together = q.queue[:0], 0, false
	q.refused = nil
	q.w.db.note(tookAll, nil)
	return task{}
}

// due returns the first item that waits to be written, or all of them if they are to be written in one step. The caller holds mu.
func (q *writer) due(g *generation) (items []queued) {
	for i := q.taken; i < len(q.queue); i++ {
		of := q.queue[i]
		k := g.kindFor(of.Kind)
		switch v := k.lookup(of.Key); {
		case v != nil && v.write != nil:
			items = append(items, queued{of, k, v})
			if !q.together {
				return items
			}
		case len(items) == 0:
			q.taken = i + 1
		}
	}
	return items
}

// fail tells everyone who waits for a write of an error. What was to be written stays so.
func (q *writer) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.w.gen.Load()
	switch s := q.w.db.now(); {
	case q.w.store.Closed():
		err = core.ErrClosed
	case !s.answering():
		err = s.err()
	default:
		q.refused = err
		if g.own && errors.Is(err, core.ErrCorrupt) {
			g.due.Store(initPending) // an Init replaces what is damaged
		}
	}
	for _, t := range q.inits {
		t.finish(false, err)
	}
	q.inits = nil
	for _, of := range q.queue[q.taken:] {
		if v := g.kindFor(of.Kind).lookup(of.Key); v != nil && v.write != nil {
			v.write.finish(false, err)
		}
	}
	q.w.wakeMonitor()
}

// writeItem writes an item.
func (q *writer) writeItem(t task) error {
	it := t.items[0]
	result, err := q.putItem(q.w.db.now().writing, it.of, it.v.item)
	if err != nil && failsAll(err) {
		it.v.write.tried = true
		return err
	}
	q.settle(it, result, err)
	return nil
}

// writeChangeSet writes items in one step. If that fails again, or the database takes not so many at once, or refuses one of them
// for good, each is written alone.
func (q *writer) writeChangeSet(t task) error {
	changes := make([]core.KindAndKeyedItem, len(t.items))
	for i, it := range t.items {
		changes[i] = core.KindAndKeyedItem{Kind: it.of.Kind, Key: it.of.Key, Item: it.v.item.Serialized(it.of.Kind, it.of.Key)}
	}
	results, err := q.putChangeSet(q.w.db.now().writing, changes)
	if err == nil {
		for i, it := range t.items {
			q.settle(it, results[i], nil)
		}
		return nil
	}
	again := failsAll(err) && !errors.Is(err, core.ErrTooLarge)
	if !again || t.items[0].v.write.tried {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.together = false
	}
	for _, it := range t.items {
		it.v.write.tried = true
	}
	if !again {
		return nil
	}
	return err
}

// settle notes what came of the writing of an item, unless that may succeed later.
func (q *writer) settle(it queued, result core.UpsertResult, refused error) {
	winner := it.v.item
	if refused == nil && !result.Written {
		is, err := result.Item.Parse(it.of.Kind, it.of.Key)
		if err == nil && (!it.v.write.tried || !is.SameContent(it.v.item)) { // otherwise the attempt that failed has written it
			winner = is
			defer q.w.changes.Publish(it.of)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refused = nil
	it.k.settle(it.of.Key, it.v, winner, refused, q.w)
}

// putOff has everything else that waits written before an item, and reports whether anything else does.
func (q *writer) putOff(of core.Change) (othersWait bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.queue[q.taken:]
	if len(waiting) > 1 && waiting[0] == of {
		copy(waiting, waiting[1:])
		waiting[len(waiting)-1] = of
	}
	return len(waiting) > 1
}

func (q *writer) putItem(ctx context.Context, of core.Change, item *core.Item) (core.UpsertResult, error) {
	suspicion := q.w.suspect()
	result, err := q.w.store.Upsert(ctx, of.Kind, of.Key, item.Serialized(of.Kind, of.Key))
	q.w.answered(ctx, suspicion, err)
	return result, err
}

func (q *writer) putChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	suspicion := q.w.suspect()
	results, err := q.w.store.ApplyChangeSet(ctx, changes)
	q.w.answered(ctx, suspicion, err)
	return results, err
}

// writeInit writes a generation.
func (q *writer) writeInit(t task) error {
	g := t.g
	q.mu.Lock()
	writes := q.inits
	q.inits = nil
	q.mu.Unlock()
	contents, waiting := g.contents()
	err := q.putInit(q.w.db.now().writing, contents)
	q.mu.Lock()
	defer q.mu.Unlock()
	items, only := core.ItemErrors(err)
	if err != nil && !only {
		q.inits = append(writes, q.inits...)
		return err
	}
	defer func() { // last: a caller may read what counts then
		for _, t := range writes {
			t.finish(true, err)
		}
	}()
	if q.w.gen.Load() != g {
		return nil // the next Init is on its way
	}
	for of, v := range waiting {
		g.kind(of.Kind).settle(of.Key, v, v.item, nil, q.w)
	}
	for _, item := range items {
		if k := g.kind(item.Kind); k != nil {
			k.refuse(item.Key)
		}
	}
	q.done(g)
	return nil
}

func (q *writer) putInit(ctx context.Context, contents []core.Collection) error {
	suspicion := q.w.suspect()
	err := q.w.store.Init(ctx, serialize(contents))
	q.w.answered(ctx, suspicion, err)
	if err == nil || !failsAll(err) {
		q.w.marked.Store(!q.w.opts.AcceptWipe)
	}
	return err
}

// done notes that the database has a generation, of which the lifetime begins now. The caller holds mu.
func (q *writer) done(g *generation) {
	for _, k := range g.kinds() {
		if k.own {
			k.renew(q.w.life, q.w.clock.exactNow())
		}
	}
	g.due.Store(initDone)
	g.given = nil
	q.refused = nil
	q.w.db.note(tookInit, nil)
}
