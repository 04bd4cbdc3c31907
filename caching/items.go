package caching

import (
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
	stored    uint64     // the kind's step when this was stored
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
	return a == b || a != nil && b != nil && a.SameContent(b)
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
	// steps counts what was stored, by reads too.
	steps uint64
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

// beginning is what had been written and stored of a kind when a read of the database began.
type beginning struct{ writes, steps uint64 }

// begin returns the beginning of a read of the database.
func (c *kindCache) begin() beginning {
	c.mu.Lock()
	defer c.mu.Unlock()
	return beginning{c.writes, c.steps}
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

// put stores a value and notes it for the snapshot. It reports false if the key is new and there is no room.
func (c *kindCache) put(key string, v *value, room bool) bool {
	s, found := c.slots.Load(key)
	if !found {
		s = &slot{}
	}
	old := s.value.Load()
	c.steps++
	v.stored = c.steps
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
