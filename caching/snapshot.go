package caching

import (
	"maps"

	"github.com/cleatdev/cleat/core"
)

// snapshot is all live items of a kind.
type snapshot struct {
	items     map[string]*core.Item // never changed
	corrupt   map[string]error      // never changed
	err       error                 // the errors in corrupt, joined
	expires   int64
	refreshAt int64
}

// differences returns the keys whose items are not the same in both.
func (s *snapshot) differences(other *snapshot) []string {
	var keys []string
	for key, item := range other.items {
		if !sameItem(item, s.items[key]) {
			keys = append(keys, key)
		}
	}
	for key := range s.items {
		if other.items[key] == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// note remembers what the snapshot lacks, also if there is no room for the key itself. That a key is unknown which the
// snapshot does not have either is not worth remembering.
func (c *kindCache) note(key string, old, v *value) {
	all := c.all.Load()
	if all == nil || !differs(old, v) {
		return
	}
	if _, noted := c.changed[key]; !noted {
		had, corrupt := all.items[key], all.corrupt[key]
		switch {
		case !v.isLive() && v.err == nil && had == nil && corrupt == nil,
			v.isLive() && sameItem(had, v.item):
			return
		}
	}
	c.changed[key] = v
	c.allBehind.Store(true)
}

// putAllRead stores what a read of the whole kind that began as given found.
func (c *kindCache) putAllRead(
	read map[string]*value, began beginning, now int64, life lifetimes, over precedence, room func() bool,
) *snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	live := make(map[string]*core.Item, len(read))
	corrupt := map[string]error{}
	collect := func(key string, v *value) {
		if v.err != nil {
			corrupt[key] = v.err
		} else if v.isLive() {
			live[key] = v.item
		}
	}
	gone := &value{}
	gone.expires, gone.refreshAt = c.life.from(now)
	if over != knownStays {
		defer c.outdateLoads()
		gone.written = c.writes + 1
	}
	for key, v := range read {
		v.written = gone.written
		collect(key, c.mergeRead(key, v, began, over, room))
	}
	for key, s := range c.slots.All() {
		if _, found := read[key]; !found && s.value.Load().item != nil {
			collect(key, c.mergeRead(key, gone, began, over, room))
		}
	}
	if began.writes < c.forgotten {
		return newSnapshot(live, corrupt, now, life) // it may lack what was written since and not kept
	}
	return c.storeSnapshot(live, corrupt, now, life)
}

// snapshotNow returns the snapshot with all changes in it; nil if there is none.
func (c *kindCache) snapshotNow() *snapshot {
	s := c.all.Load()
	if s == nil || !c.allBehind.Load() {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s = c.all.Load()
	if len(c.changed) == 0 {
		return s
	}
	items, corrupt := maps.Clone(s.items), maps.Clone(s.corrupt)
	for key, v := range c.changed {
		delete(items, key)
		delete(corrupt, key)
		if v.err != nil {
			corrupt[key] = v.err
		} else if v.isLive() {
			items[key] = v.item
		}
	}
	next := &snapshot{items: items, corrupt: corrupt, err: joinErrors(corrupt), expires: s.expires, refreshAt: s.refreshAt}
	c.replaceSnapshot(next)
	return next
}

func (c *kindCache) storeSnapshot(live map[string]*core.Item, corrupt map[string]error, now int64, life lifetimes) *snapshot {
	s := newSnapshot(live, corrupt, now, life)
	c.replaceSnapshot(s)
	return s
}

func newSnapshot(live map[string]*core.Item, corrupt map[string]error, now int64, life lifetimes) *snapshot {
	s := &snapshot{items: live, corrupt: corrupt, err: joinErrors(corrupt)}
	s.expires, s.refreshAt = life.from(now)
	if len(corrupt) > 0 {
		s.expires = min(s.expires, life.fromError(now))
	}
	return s
}

func (c *kindCache) replaceSnapshot(s *snapshot) {
	clear(c.changed)
	c.all.Store(s)
	c.allUsed.Store(false)
	c.allBehind.Store(false)
}
