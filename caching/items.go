package caching

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v4"
	"golang.org/x/sync/singleflight"

	"github.com/cleatdev/cleat/core"
)

// maxUnknownKeys is how many keys of one kind are remembered as unknown, so that callers who ask for keys made up from
// user input cannot fill the memory.
const maxUnknownKeys = 10_000

// value is what is known of one key. It is immutable.
type value struct {
	item      *core.Item // as the database has it, tombstones included; nil if there is none or err is set
	err       error      // why there is no item although there should be
	expires   int64      // from then on it is read again; Unix ns
	refreshAt int64      // from then on it is read again in the background if it is in use; Unix ns
	written   uint64     // the kind's write count when this was written; 0 if it was read
	pinned    bool       // the database does not have it yet, so that reading it must not bring an older one back
}

// live returns what a caller of Get gets.
func (v *value) live() (*core.Item, bool, error) {
	switch {
	case v.err != nil:
		return nil, false, v.err
	case v.item == nil || v.item.Deleted():
		return nil, false, nil
	default:
		return v.item, true, nil
	}
}

func (v *value) isLive() bool { return v.item != nil && !v.item.Deleted() }

// supersedes reports whether v, which was read, is newer than old, which was written.
func (v *value) supersedes(old *value) bool {
	return v.item != nil && (old.item == nil || v.item.Version() > old.item.Version())
}

// sameAs reports whether both stand for the same live item, or neither for any. A nil other is no item.
func (v *value) sameAs(other *value) bool {
	if other == nil || !other.isLive() || !v.isLive() {
		return v.err == nil && !v.isLive() && (other == nil || other.err == nil && !other.isLive())
	}
	return sameItem(v.item, other.item)
}

func sameItem(a, b *core.Item) bool {
	return a == b || a != nil && b != nil &&
		a.Version() == b.Version() && a.Deleted() == b.Deleted() && bytes.Equal(a.JSON(), b.JSON())
}

// slot is the place of one key. A read is two atomic loads and touches nothing that another core writes.
type slot struct {
	value atomic.Pointer[value]
	used  atomic.Bool // read since the value was stored
	// kept is true if an Init brought the key, so that it is not dropped to make room.
	kept bool
}

func (s *slot) markUsed() {
	if !s.used.Load() {
		s.used.Store(true)
	}
}

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

// kindCache holds what is known of one kind. Reads are lock-free; everything that changes it holds mu.
type kindCache struct {
	kind core.DataKind
	life lifetimes

	slots *xsync.Map[string, *slot]
	all   atomic.Pointer[snapshot] // nil if the kind was never read or written as a whole
	// allUsed is true if the snapshot was read since it was stored.
	allUsed atomic.Bool
	// allBehind is true if changed has something that the snapshot lacks.
	allBehind atomic.Bool
	// refreshing is true while what is due is read in the background.
	refreshing atomic.Bool
	// sealed is true if the Init that made the cache is not in the database, so that what the cache lacks is not there.
	sealed bool
	// loads and allLoads make one read of the database out of many that want the same.
	loads, allLoads singleflight.Group

	// reported has the keys whose undecodable items were logged.
	reported *xsync.Map[string, struct{}]

	mu      sync.Mutex // guards what follows, and every store into slots, all and a slot's value
	changed map[string]*value
	// writes counts the writes, for comparing the beginning of a read with them.
	writes uint64
	// forgotten is the write count at the last time that a written value was dropped or not kept.
	forgotten uint64
	unknown   int // slots whose value says that there is no item
}

func newKindCache(kind core.DataKind, life lifetimes, size int) *kindCache {
	slots := xsync.NewMap[string, *slot](xsync.WithPresize(size))
	return &kindCache{kind: kind, life: life, slots: slots, changed: map[string]*value{}, reported: xsync.NewMap[string, struct{}]()}
}

// lookup returns what is known of the key, expired or not; nil if nothing is.
func (c *kindCache) lookup(key string) *value {
	if s, found := c.slots.Load(key); found {
		return s.value.Load()
	}
	return nil
}

// readMark returns the write count with which a read of the database begins.
func (c *kindCache) readMark() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// newFilledCache returns a cache that holds exactly the given items, as after an Init.
func newFilledCache(kind core.DataKind, life lifetimes, items []core.KeyedItem, now int64, pinned func(key string) bool) *kindCache {
	c := newKindCache(kind, life, len(items))
	c.writes = 1
	live := make(map[string]*core.Item, len(items))
	for _, it := range items {
		v := &value{item: it.Item, written: c.writes, pinned: pinned(it.Key)}
		v.expires, v.refreshAt = life.from(now)
		s := &slot{kept: true}
		s.value.Store(v)
		c.slots.Store(it.Key, s)
		if v.isLive() {
			live[it.Key] = it.Item
		}
	}
	c.storeSnapshot(live, nil, now, life)
	return c
}

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

// putRead stores what a read that began at the given mark found, unless something newer was written meanwhile, and
// returns what counts.
func (c *kindCache) putRead(key string, read *value, mark uint64, over precedence, room func() bool) *value {
	c.mu.Lock()
	defer c.mu.Unlock()
	if over != knownStays {
		defer c.outdateLoads()
		read.written = c.writes + 1
	}
	return c.mergeRead(key, read, mark, over, room)
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

func (c *kindCache) mergeRead(key string, read *value, mark uint64, over precedence, room func() bool) *value {
	old := c.lookup(key)
	if old != nil && sameItem(read.item, old.item) {
		read.item = old.item // which may have been decoded
	}
	switch {
	case old == nil && c.sealed:
		return &value{expires: read.expires, refreshAt: never}
	case old == nil && mark < c.forgotten:
		return read // what was written since is not known any more, so this may be older
	case old == nil:
	case old.written > mark && !read.supersedes(old):
		return old
	case old.pinned && !read.supersedes(old):
		held := *old
		held.expires, held.refreshAt = read.expires, read.refreshAt
		c.put(key, &held, true)
		return &held
	case c.life.forever && old.item != nil && over.keeps(old, read):
		return old
	}
	if old != nil && over == knownStays {
		read.written = old.written // for reads that began before that write and have not ended yet
	}
	c.put(key, read, room())
	return read
}

// put stores a value and notes it for the snapshot. It reports false if the key is new and there is no room.
func (c *kindCache) put(key string, v *value, room bool) bool {
	s, found := c.slots.Load(key)
	if !found {
		s = &slot{}
	}
	old := s.value.Load()
	c.note(key, old, v)
	if !found && (!room || v.item == nil && c.unknown >= maxUnknownKeys) {
		return false
	}
	c.unknown += countUnknown(v) - countUnknown(old)
	s.value.Store(v)
	s.used.Store(false)
	if !found {
		c.slots.Store(key, s)
	}
	return true
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
			v.isLive() && had != nil && had.Version() == v.item.Version() && bytes.Equal(had.JSON(), v.item.JSON()):
			return
		}
	}
	c.changed[key] = v
	c.allBehind.Store(true)
}

func countUnknown(v *value) int {
	if v != nil && v.item == nil && v.err == nil {
		return 1
	}
	return 0
}

func differs(old, v *value) bool {
	return old == nil || old.item != v.item || old.err != nil || v.err != nil
}

// unknownKeys returns how many keys are known not to exist.
func (c *kindCache) unknownKeys() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unknown
}

// drop forgets a key.
func (c *kindCache) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.lookup(key); v != nil {
		c.unknown -= countUnknown(v)
		c.forgotten = c.writes
		c.slots.Delete(key)
	}
}

// putAllRead stores what a read of the whole kind that began at the given mark found.
func (c *kindCache) putAllRead(
	read map[string]*value, mark uint64, now int64, life lifetimes, over precedence, room func() bool,
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
		collect(key, c.mergeRead(key, v, mark, over, room))
	}
	for key, s := range c.slots.All() {
		if _, found := read[key]; !found && s.value.Load().item != nil {
			collect(key, c.mergeRead(key, gone, mark, over, room))
		}
	}
	if mark < c.forgotten {
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

// items returns all items, tombstones included, in the order of their keys, and whether that is all there is: whether
// the kind was ever read or written as a whole.
func (c *kindCache) items() (items []core.KeyedItem, complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, s := range c.slots.All() {
		if v := s.value.Load(); v.item != nil {
			items = append(items, core.KeyedItem{Key: key, Item: v.item})
		}
	}
	slices.SortFunc(items, func(a, b core.KeyedItem) int { return strings.Compare(a.Key, b.Key) })
	return items, c.all.Load() != nil
}
