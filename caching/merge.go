package caching

import (
	"github.com/cleatdev/cleat/core"
)

// putWritten stores what an upsert left in the database, or, if pinned, what the database is to have later. The newer
// one of two upserts that overtake each other stays.
func (c *kindCache) putWritten(key string, item *core.Item, now int64, pinned bool, room func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	c.loads.Forget(key)
	c.allLoads.Forget(wholeKind)
	if old := c.lookup(key); old != nil && old.item != nil && old.item.Version() > item.Version() {
		return
	}
	v := &value{item: item, written: c.writes, pinned: pinned}
	v.expires, v.refreshAt = c.life.from(now)
	if !c.put(key, v, pinned || c.life.forever || room()) {
		c.forgotten = c.writes
	}
}

// putRead stores what a read that began as given found, unless something newer was written meanwhile, and
// returns what counts.
func (c *kindCache) putRead(key string, read *value, began beginning, over precedence, room func() bool) *value {
	c.mu.Lock()
	defer c.mu.Unlock()
	if over != knownStays {
		defer c.outdateLoads()
		read.written = c.writes + 1
	}
	return c.mergeRead(key, read, began, over, room)
}

// lacks reports whether what was read of the whole kind lacks an item that is known to be live.
func (c *kindCache) lacks(read map[string]*value) bool {
	for key, s := range c.slots.All() {
		if read[key] == nil && s.value.Load().isLive() {
			return true
		}
	}
	return false
}

// noteChange keeps loads that are under way from storing what they found, because it may have changed since.
func (c *kindCache) noteChange() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outdateLoads()
}

// outdateLoads makes what loads bring that are under way count for less than what was stored with the next write count.
func (c *kindCache) outdateLoads() {
	c.writes++
	c.forgotten = c.writes
}

// precedence says what reading the database does to a known value in Forever mode, where nothing expires.
type precedence int

const (
	knownStays precedence = iota // memory counts
	newerWins                    // somebody else wrote it, but this process writes too and counts otherwise
	readWins                     // somebody else wrote it, and nobody in this process does
)

func (p precedence) keeps(old, read *value) bool {
	switch p {
	case readWins:
		return false
	case newerWins:
		return !read.supersedes(old)
	default:
		return true
	}
}

func (c *kindCache) mergeRead(key string, read *value, began beginning, over precedence, room func() bool) *value {
	old := c.lookup(key)
	if old != nil && sameItem(read.item, old.item) {
		read.item = old.item // which may have been decoded
	}
	switch {
	case old == nil && c.sealed:
		return &value{expires: read.expires, refreshAt: never}
	case old == nil && began.writes < c.forgotten:
		return read // what was written since is not known any more, so this may be older
	case old == nil:
	case old.written > began.writes && !read.supersedes(old):
		return old
	case old.stored > began.steps && old.item != nil && !read.supersedes(old):
		return old // another read has ended since this one began, and may have been served later
	case old.pinned && !read.supersedes(old):
		held := *old
		held.expires, held.refreshAt = read.expires, read.refreshAt
		c.put(key, &held, true)
		return &held
	case c.life.forever && old.item != nil && over.keeps(old, read):
		return old
	case over == knownStays && began.writes < c.forgotten:
		return read // what is known may be what was written since, forgotten, and read again
	}
	if old != nil && over == knownStays {
		read.written = old.written // for reads that began before that write and have not ended yet
	}
	c.put(key, read, room())
	return read
}
