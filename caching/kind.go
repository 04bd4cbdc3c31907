package caching

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puzpuzpuz/xsync/v4"
	"golang.org/x/sync/singleflight"

	"github.com/cleatdev/cleat/core"
)

// maxUnknownKeys is how many keys of one kind are remembered as unknown, so that callers who ask for keys made up from
// user input cannot fill the memory.
const maxUnknownKeys = 10_000

// slot is the place of one key. A read is two atomic loads and touches nothing that another core writes.
type slot struct {
	value atomic.Pointer[value]
	used  atomic.Bool // read since the value was stored
	asked atomic.Bool // a caller has waited for the value since the kind was last read because of reports
}

// inUse reports whether the key was read since the kind was last read because of reports.
func (s *slot) inUse() bool { return s.used.Load() || s.asked.Load() }

func markUsed(used *atomic.Bool) {
	if !used.Load() {
		used.Store(true)
	}
}

// kind is what is known of one kind in one generation. Reads are lock-free; everything that stores holds mu.
type kind struct {
	name core.DataKind
	own  bool // made by an Init of this process, so that nothing of it is dropped
	// judge is judgeLoad; the explorer's mutants have others.
	judge func(known, loaded *value, begin, forgotten uint64, believe bool) verdict
	// asked is true once the database was asked for anything of the kind.
	asked atomic.Bool

	slots *xsync.Map[string, *slot]
	// wholeUntil is until when the slots hold everything there is; 0 if they never did. wholeRefreshAt is from when on the
	// kind is read again as a whole in the background if it is in use. Unix ns.
	wholeUntil, wholeRefreshAt atomic.Int64
	wholeUsed                  atomic.Bool                  // All was called since
	memo                       atomic.Pointer[allOf]        // what the slots hold, as All returns it; nil if it has to be built
	refreshing                 atomic.Bool                  // what is due is being read in the background
	doubtful                   atomic.Bool                  // a load found less than is known
	loads                      singleflight.Group           // one load for many callers, by key
	allLoads                   singleflight.Group           // likewise for the whole kind
	reported                   *xsync.Map[string, struct{}] // keys of which it was logged that their items are damaged or missing

	// following holds a token while items are read again because of reports, so that each change is announced once. It is a
	// channel because the database is waited for meanwhile, which tests on virtual time do not see through a mutex.
	following chan struct{}

	mu        sync.Mutex // guards what follows, and every store into slots, values, wholeUntil and memo
	steps     uint64     // counts what was stored
	forgotten uint64     // the step at which something that was known was dropped, or not kept for lack of room
	// forgottenItem is the last of these steps at which that was more than that there is no item.
	forgottenItem uint64
	unknown       int // slots whose value says that there is no item
}

// allOf is all live items of a kind; never changed.
type allOf struct {
	items map[string]*core.Item
	err   error // the errors of items that cannot be decoded
}

func newKind(name core.DataKind, size int) *kind {
	return &kind{
		name:      name,
		judge:     judgeLoad,
		slots:     xsync.NewMap[string, *slot](xsync.WithPresize(size)),
		reported:  xsync.NewMap[string, struct{}](),
		following: make(chan struct{}, 1),
	}
}

// lookup returns what is known of the key, expired or not; nil if nothing is.
func (k *kind) lookup(key string) *value {
	if s, found := k.slots.Load(key); found {
		return s.value.Load()
	}
	return nil
}

// reportOnce reports whether it is yet to be logged that the item of a key is damaged or missing.
func (k *kind) reportOnce(key string) bool {
	if k.reported.Size() >= maxUnknownKeys {
		return false
	}
	_, before := k.reported.LoadOrStore(key, struct{}{})
	return !before
}

// begin returns the step with which a load begins.
func (k *kind) begin() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.steps
}

// load stores what a load of one key found, as judgeLoad decides, and returns what counts.
func (k *kind) load(key string, loaded *value, begin uint64, believe bool, room func() bool) *value {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.merge(key, loaded, begin, believe, room)
}

func (k *kind) merge(key string, loaded *value, begin uint64, believe bool, room func() bool) *value {
	known := k.lookup(key)
	switch k.judge(known, loaded, begin, k.forgotten, believe) {
	case storeLoaded:
		if known != nil && known.item != nil && loaded.item != nil && known.item.SameContent(loaded.item) {
			loaded.item = known.item // which may have been decoded
		}
		k.put(key, loaded, room)
		return loaded
	case answerLoaded:
		// Its next reader asks again, and loads that began before do not take it back, unless it may be older than what was dropped.
		if (known != nil || k.wholeUntil.Load() != 0 || begin >= k.forgottenItem) && !loaded.isUnknown() {
			k.put(key, loaded.lasting(0, 0), room)
		}
		return loaded
	case doubtLoaded:
		k.doubtful.Store(true)
		k.prolong(key, known, loaded)
	case keepKnown:
	}
	return known
}

// prolong gives a known value the lifetime of what was loaded, so that it is not read again at once. The caller holds mu.
func (k *kind) prolong(key string, known, loaded *value) {
	if expires := loaded.expires.Load(); known.expires.Load() < expires {
		known.lasting(expires, loaded.refreshAt.Load())
		if s, found := k.slots.Load(key); found {
			s.used.Store(false)
		}
	}
}

// put stores a value in a step of its own. It is not kept if the key is new and there is no room. The caller holds mu.
func (k *kind) put(key string, v *value, room func() bool) {
	k.steps++
	v.stored = k.steps
	if !v.held() && k.lookup(key) == nil && (!room() || v.isUnknown() && k.unknown >= maxUnknownKeys) {
		k.forget(v)
		return
	}
	k.replace(key, v)
}

// forget notes that the slots lack something that is known. The caller holds mu.
func (k *kind) forget(v *value) {
	k.forgotten = k.steps
	k.memo.Store(nil)
	if !v.isUnknown() {
		k.forgottenItem = k.forgotten
		k.wholeUntil.Store(0)
	}
}

// replace puts v into the key's slot. The caller holds mu.
func (k *kind) replace(key string, v *value) {
	s, found := k.slots.Load(key)
	if !found {
		s = &slot{}
	}
	old := s.value.Load()
	if !v.sameAs(old) || old != nil && old.item != v.item {
		k.memo.Store(nil)
	}
	k.unknown += count(v.isUnknown()) - count(old.isUnknown())
	s.value.Store(v)
	s.used.Store(false)
	if !found {
		k.slots.Store(key, s)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// drop forgets a key, unless memory alone has its value.
func (k *kind) drop(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v := k.lookup(key); v != nil && !v.held() {
		k.steps++
		k.unknown -= count(v.isUnknown())
		k.slots.Delete(key)
		k.forget(v)
	}
}

// noteChange keeps loads that are under way from storing what they found, because it may have changed since, and makes
// callers who come from now on begin loads of their own.
func (k *kind) noteChange(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lookup(key) == nil {
		k.steps++
		k.forgotten, k.forgottenItem = k.steps, k.steps
	}
	k.loads.Forget(key)
	k.allLoads.Forget(wholeKind)
}

// write stores an item that the database is to have, and returns the write, unless what is known is as new.
func (k *kind) write(key string, item *core.Item) *write {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.lookup(key)
	if known != nil && item.Version() <= known.version() {
		return nil
	}
	v := (&value{item: item, write: newWrite()}).lasting(never, never)
	if known != nil && known.write != nil {
		known.write.finish(true, nil)
	}
	k.put(key, v, nil)
	k.loads.Forget(key) // what is under way may be older
	k.allLoads.Forget(wholeKind)
	return v.write
}

// settle notes that the database has what was written, or the winner, unless another value has taken its place since. A value
// that is refused for good stays in memory.
func (k *kind) settle(key string, written *value, winner *core.Item, refused error, w *CachingStoreWrapper) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer written.write.finish(winner == written.item, refused) // last: a caller may read what counts then
	if k.lookup(key) != written {
		return
	}
	v := (&value{item: winner, refused: refused != nil}).lasting(never, never)
	if !v.refused {
		v.lasting(w.life.from(w.clock.exactNow()))
	}
	k.steps++
	v.stored = k.steps
	k.replace(key, v)
}

// refuse notes that the database cannot hold what memory has of a key.
func (k *kind) refuse(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v := k.lookup(key); v != nil && v.write == nil {
		k.replace(key, (&value{item: v.item, stored: v.stored, refused: true}).lasting(never, never))
	}
}

// all returns what the slots hold.
func (k *kind) all() *allOf {
	if m := k.memo.Load(); m != nil {
		return m
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.memo.Load()
	if m == nil {
		m = k.collect(nil)
		k.memo.Store(m)
	}
	return m
}

// collect returns the given values and what the slots hold otherwise. The caller holds mu.
func (k *kind) collect(answers map[string]*value) *allOf {
	m := &allOf{items: make(map[string]*core.Item, max(len(answers), k.slots.Size()))}
	corrupt := map[string]error{}
	add := func(key string, v *value) {
		switch {
		case v.err != nil:
			corrupt[key] = v.err
		case v.isLive():
			m.items[key] = v.item
		}
	}
	for key, v := range answers {
		add(key, v)
	}
	for key, s := range k.slots.All() {
		if _, found := answers[key]; !found {
			add(key, s.value.Load())
		}
	}
	m.err = joinErrors(corrupt)
	return m
}

// loadAll stores what a load of the whole kind found, and returns what counts. It is not kept if keep is false.
func (k *kind) loadAll(loaded map[string]*value, begin uint64, believe, keep bool, life lifetimes, now int64) *allOf {
	k.mu.Lock()
	defer k.mu.Unlock()
	room := func() bool { return keep }
	whole, corrupt := begin >= k.forgotten && keep, false
	for key, s := range k.slots.All() {
		if _, found := loaded[key]; !found && s.value.Load().item != nil {
			k.merge(key, (&value{}).lasting(life.from(now)), begin, believe, room)
		}
	}
	for key, v := range loaded {
		counts := k.merge(key, v, begin, believe, room)
		loaded[key] = counts
		corrupt = corrupt || counts.err != nil
	}
	if whole {
		k.setWhole(life, now, corrupt)
	}
	m := k.collect(loaded)
	if whole {
		k.memo.Store(m)
	}
	return m
}

// setWhole notes that the slots hold everything. The caller holds mu, or no other goroutine knows the kind yet.
func (k *kind) setWhole(life lifetimes, now int64, corrupt bool) {
	expires, refreshAt := life.from(now)
	if corrupt {
		expires = min(expires, life.fromError(now))
	}
	k.wholeUntil.Store(expires)
	k.wholeRefreshAt.Store(refreshAt)
	k.wholeUsed.Store(false)
}

// expire makes what is known expire at the given time unless memory alone has it, and returns the keys that are in use, which
// it leaves alone.
func (k *kind) expire(now int64) (inUse []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if until := k.wholeUntil.Load(); until > now {
		k.wholeUntil.Store(now)
	}
	for key, s := range k.slots.All() {
		v := s.value.Load()
		switch {
		case v.held():
		case s.inUse():
			s.asked.Store(false)
			inUse = append(inUse, key)
		case v.expires.Load() > now:
			v.expires.Store(now)
		}
	}
	return inUse
}

// renew gives everything that the database has a new lifetime.
func (k *kind) renew(life lifetimes, now int64) {
	if life.forever {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.slots.All() {
		if v := s.value.Load(); !v.held() {
			v.lasting(life.from(now))
		}
	}
	k.setWhole(life, now, false)
}

// stagger has what expired in an outage expire at random times within a period instead, so that not everything is read again in the
// moment in which the database is back, by all processes at once.
func (k *kind) stagger(now int64, period time.Duration, random func() float64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	later := func() int64 { return now + int64(random()*float64(period)) }
	for _, s := range k.slots.All() {
		if v := s.value.Load(); v.isLive() && !v.held() && v.refreshAt.Load() <= now {
			at := later()
			v.lasting(at, at)
		}
	}
	if k.wholeUntil.Load() != 0 && k.wholeRefreshAt.Load() <= now {
		at := later()
		k.wholeUntil.Store(at)
		k.wholeRefreshAt.Store(at)
	}
}

// bytes returns how many bytes a read of the items in use takes about, or of all items.
func (k *kind) bytes(all bool) int {
	n := 0
	for _, s := range k.slots.All() {
		if v := s.value.Load(); v.item != nil && (all || s.inUse()) {
			n += len(v.item.JSON())
		}
	}
	return n
}

// unknownKeys returns how many keys are known not to exist.
func (k *kind) unknownKeys() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unknown
}

// joinErrors joins errors in the order of their keys; nil if there are none.
func joinErrors(byKey map[string]error) error {
	errs := make([]error, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		errs = append(errs, byKey[key])
	}
	return errors.Join(errs...)
}

// write is the writing of a value or of a generation, which callers may wait for.
type write struct {
	done chan struct{} // closed at the end
	// updated and err are set when done is closed: whether the database had nothing newer, and why it has not been written.
	// After an error the value or generation is tried again, unless it was refused for good.
	updated bool
	err     error
	once    sync.Once
	tried   bool // an attempt failed that may have succeeded all the same; belongs to the writer's goroutine
}

func newWrite() *write { return &write{done: make(chan struct{})} }

func (w *write) finish(updated bool, err error) {
	w.once.Do(func() {
		w.updated, w.err = updated, err
		close(w.done)
	})
}
