package caching

import (
	"errors"
	"time"

	"github.com/cleatdev/cleat/core"
)

// restore has the writer compare the database with what an Init of this process brought, and write that again unless it is
// there. Where there is much to compare, processes do not do it all at once.
func (q *writer) restore() {
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.w.gen.Load()
	if !g.own {
		return
	}
	if g.due.CompareAndSwap(initDone, initUnsure) {
		q.compareAt = time.Now().Add(q.w.spread(g.flags.bytes(true)+g.segments.bytes(true), restoreRate))
	}
	q.wake()
}

// untilCompare returns how long it is until the database is to be compared with memory; 0 if it is not.
func (q *writer) untilCompare() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.w.gen.Load().due.Load() != initUnsure || !q.w.db.now().answering() {
		return 0
	}
	return max(time.Until(q.compareAt), 1)
}

// restoreInit finds out whether the database has a generation, adopts what others have written since that is newer, and writes
// the whole unless it is there.
func (q *writer) restoreInit(t task) error {
	g := t.g
	same, err := q.w.noteMark(q.w.readMark(q.w.store.Context()))
	if err != nil {
		return err
	}
	for _, k := range g.kinds() {
		if !k.own {
			continue
		}
		begin := k.begin()
		stored, err := q.w.readAll(q.w.store.Context(), k.name)
		if err != nil && !errors.Is(err, core.ErrCorrupt) { // what is damaged is about to be replaced
			return err
		}
		same = q.adopt(k, stored, begin) && err == nil && same
	}
	if !same {
		return q.writeInit(t)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.w.gen.Load() == g {
		q.done(g)
	}
	return nil
}

// adopt takes over what is newer in the database, and reports whether that then has what memory has.
func (q *writer) adopt(k *kind, stored map[string]*value, begin uint64) (same bool) {
	same = true
	for key, v := range stored {
		switch known := k.lookup(key); {
		case known == nil || known.item == nil || v.item == nil || v.version() < known.version():
			same = false
		case v.version() > known.version():
			k.load(key, v, begin, false, q.w.room)
			q.w.changes.Publish(core.Change{Kind: k.name, Key: key})
		}
	}
	for key, s := range k.slots.All() {
		if v := s.value.Load(); v.item != nil && !v.refused && stored[key] == nil {
			return false
		}
	}
	return same
}
