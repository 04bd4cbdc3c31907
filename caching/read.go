package caching

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/cleatdev/cleat/core"
)

const (
	// wholeKind is the name under which loads of a whole kind are made one.
	wholeKind = ""
	// knownPatience is how long a caller waits for the database at most if the answer is known and only too old.
	knownPatience = 50 * time.Millisecond
)

var (
	// noPatience is the end of a wait that takes no time.
	noPatience = closedTime()
	// errWaited is returned to a caller who has waited long enough for what is known anyway.
	errWaited = errors.New("caching: the database takes longer than what is known is worth waiting for")
	// errNotRead is returned for what is not in a generation that has yet to be written.
	errNotRead = fmt.Errorf("caching: %w: everything is about to be written to the database, which is not read meanwhile",
		core.ErrUnavailable)
)

func closedTime() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}

// Get implements [core.ReadOnlyStore]. What is cached and fresh is returned without a look at ctx.
func (w *CachingStoreWrapper) Get(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	if k := w.gen.Load().kind(kind); k != nil {
		if s, found := k.slots.Load(key); found {
			if v := s.value.Load(); w.clock.now() < v.expires.Load() {
				markUsed(&s.used)
				return v.live()
			}
		}
	}
	return w.getSlowly(ctx, kind, key)
}

func (w *CachingStoreWrapper) getSlowly(ctx context.Context, name core.DataKind, key string) (*core.Item, bool, error) {
	if err := w.check(ctx); err != nil {
		return nil, false, err
	}
	if err := core.ValidateKey(name, key); err != nil {
		return nil, false, fmt.Errorf("caching: %w", err)
	}
	for again := true; ; again = false {
		g := w.gen.Load()
		k := g.kindFor(name)
		known := k.lookup(key)
		isKnown := known != nil && known.err == nil && (g.holds(k) || w.usable(known.expires.Load()))
		if err := w.notAsked(g, k); err != nil {
			return w.getKnown(g, k, key, isKnown, err)
		}
		v, err := wait(ctx, w, &k.loads, key, known != nil, func(ctx context.Context) (*value, error) {
			if v := k.lookup(key); v != nil && w.clock.now() < v.expires.Load() {
				return v, nil // a load has ended since this caller looked
			}
			return w.load(ctx, k, key)
		})
		switch {
		case err == nil && again && w.gen.Load() != g: // what has replaced everything may have it in memory
		case err == nil:
			if s, found := k.slots.Load(key); found {
				s.asked.Store(true)
			}
			return v.live()
		case w.store.Closed() || err == ctx.Err(): //nolint:errorlint // context errors are never wrapped
			return nil, false, err
		default:
			return w.getKnown(g, k, key, isKnown, err)
		}
	}
}

// getKnown answers without the database, which cannot be asked because of err.
func (w *CachingStoreWrapper) getKnown(g *generation, k *kind, key string, isKnown bool, err error) (*core.Item, bool, error) {
	s, found := k.slots.Load(key)
	if found && isKnown {
		markUsed(&s.used)
		return s.value.Load().live()
	}
	if until := k.wholeUntil.Load(); !found && until != 0 && (g.holds(k) || w.usable(until)) {
		return nil, false, nil // everything is known, and the key is not among it
	}
	return nil, false, err
}

// notAsked returns why the database is not asked for a kind; nil if it is.
func (w *CachingStoreWrapper) notAsked(g *generation, k *kind) error {
	if s := w.db.now(); !w.mayRead(s) {
		return s.err()
	}
	if g.holds(k) {
		return errNotRead
	}
	return nil
}

// mayRead reports whether the database may be read. What it has after it lost its data is the truth only in mode Off, in which
// nothing else is known.
func (w *CachingStoreWrapper) mayRead(s *situation) bool {
	return s.readable() || s.state == wiped && !w.caches()
}

// usable reports whether something that expired may still be used while the database does not answer.
func (w *CachingStoreWrapper) usable(expires int64) bool {
	return w.opts.MaxStale == 0 || expires == never || w.clock.now() < expires+int64(w.opts.MaxStale)
}

// All implements [core.ReadOnlyStore].
func (w *CachingStoreWrapper) All(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("caching: %w", err)
	}
	for again := true; ; again = false {
		g := w.gen.Load()
		k := g.kindFor(kind)
		until := k.wholeUntil.Load()
		if w.clock.now() < until {
			return k.useAll()
		}
		known := until != 0 && (g.holds(k) || w.usable(until))
		err := w.notAsked(g, k)
		if err == nil {
			var all *allOf
			all, err = wait(ctx, w, &k.allLoads, wholeKind, known, func(ctx context.Context) (*allOf, error) {
				if w.clock.now() < k.wholeUntil.Load() {
					return k.all(), nil
				}
				return w.loadAll(ctx, k)
			})
			if err == nil {
				if again && w.gen.Load() != g {
					continue // as in Get
				}
				return all.items, all.err
			}
		}
		switch {
		case w.store.Closed() || err == ctx.Err(): //nolint:errorlint // context errors are never wrapped
			return nil, err
		case known:
			return k.useAll()
		default:
			return nil, err
		}
	}
}

func (k *kind) useAll() (map[string]*core.Item, error) {
	markUsed(&k.wholeUsed)
	all := k.all()
	return all.items, all.err
}

// wait joins the load with the given name, or begins it, and waits until it ends, ctx does, the database can no longer be
// read, or the wrapper is closed. If the answer is known, it does not wait for long.
func wait[T any](
	ctx context.Context, w *CachingStoreWrapper, loads *singleflight.Group, name string, known bool,
	load func(context.Context) (T, error),
) (result T, err error) {
	detached := context.WithoutCancel(ctx)
	done := loads.DoChan(name, func() (any, error) { return load(detached) })
	var enough <-chan time.Time
	switch {
	case known && w.slow.Load():
		enough = noPatience
	case known:
		timer := w.timers.start(knownPatience)
		defer w.timers.stop(timer)
		enough = timer.C
	}
	for {
		s := w.db.now()
		if !w.mayRead(s) {
			return result, s.err()
		}
		select {
		case r := <-done:
			if r.Err != nil {
				return result, r.Err
			}
			return r.Val.(T), nil
		case <-ctx.Done():
			return result, ctx.Err()
		case <-w.store.Context().Done():
			return result, core.ErrClosed
		case <-s.left:
		case <-enough:
			w.slow.Store(true) // other items of the same evaluation are not waited for too
			return result, errWaited
		}
	}
}

// load reads one item from the database into memory.
func (w *CachingStoreWrapper) load(ctx context.Context, k *kind, key string) (*value, error) {
	begin := k.begin()
	k.asked.Store(true)
	loaded, err := w.readItem(ctx, k.name, key)
	if err != nil {
		return nil, err
	}
	w.noteLoaded(k, key, loaded)
	counts := k.load(key, loaded, begin, w.opts.AcceptWipe, w.room)
	w.afterLoad(k)
	return counts, nil
}

// loadAll reads a whole kind from the database into memory.
func (w *CachingStoreWrapper) loadAll(ctx context.Context, k *kind) (*allOf, error) {
	begin, life := k.begin(), w.lifeOfAbsence()
	k.asked.Store(true)
	loaded, err := w.readAll(ctx, k.name)
	if err != nil {
		return nil, err
	}
	for key, v := range loaded {
		w.noteLoaded(k, key, v)
	}
	all := k.loadAll(loaded, begin, w.opts.AcceptWipe, w.caches(), life, w.clock.exactNow())
	w.afterLoad(k)
	return all, nil
}

// afterLoad has the monitor look if a load found less than is known.
func (w *CachingStoreWrapper) afterLoad(k *kind) {
	if k.doubtful.Load() {
		w.wakeMonitor()
	}
}

// noteLoaded logs what cannot be decoded, once, and sees to it that the mark is known once an item is, so that its loss
// is noticed.
func (w *CachingStoreWrapper) noteLoaded(k *kind, key string, loaded *value) {
	switch {
	case loaded.item != nil:
		k.reported.Delete(key)
	case loaded.err != nil && k.reportOnce(key):
		w.opts.Logger.Error("caching: an item in the data store cannot be decoded; it is treated as missing", "error", loaded.err)
	}
	if loaded.isLive() && w.askedMark.CompareAndSwap(false, true) {
		w.wakeMonitor()
	}
}

// readItem asks the database for one item.
func (w *CachingStoreWrapper) readItem(ctx context.Context, name core.DataKind, key string) (*value, error) {
	suspicion, life := w.suspect(), w.lifeOfAbsence()
	item, found, err := w.store.Get(ctx, name, key)
	w.answered(ctx, suspicion, err)
	return w.gotItem(name, key, item, found, err, life)
}

// lookForItem is readItem for the monitor, which it does not wake.
func (w *CachingStoreWrapper) lookForItem(name core.DataKind, key string) (*value, error) {
	item, found, err := w.store.Get(w.store.Context(), name, key)
	w.noteClosed(err)
	return w.gotItem(name, key, item, found, err, w.life)
}

func (w *CachingStoreWrapper) gotItem(
	name core.DataKind, key string, item core.SerializedItem, found bool, err error, absence lifetimes,
) (*value, error) {
	if items, only := core.ItemErrors(err); only {
		return w.undecodable(items[0]), nil
	}
	w.reads.note(name, err)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return w.absent(absence), nil
	default:
		return w.parse(name, key, item), nil
	}
}

// readAll asks the database for all items of a kind.
func (w *CachingStoreWrapper) readAll(ctx context.Context, name core.DataKind) (map[string]*value, error) {
	suspicion := w.suspect()
	items, err := w.store.GetAll(ctx, name)
	w.answered(ctx, suspicion, err)
	return w.parseAll(name, items), err
}

// readItems asks the database for several items.
func (w *CachingStoreWrapper) readItems(ctx context.Context, name core.DataKind, keys []string) (map[string]*value, error) {
	suspicion := w.suspect()
	items, err := w.store.GetItems(ctx, name, keys)
	w.answered(ctx, suspicion, err)
	w.reads.note(name, err)
	return w.parseAll(name, items), err
}

func (w *CachingStoreWrapper) parseAll(name core.DataKind, items []core.KeyedSerializedItem) map[string]*value {
	values := make(map[string]*value, len(items))
	for _, it := range items {
		values[it.Key] = w.parse(name, it.Key, it.Item)
	}
	return values
}

func (w *CachingStoreWrapper) parse(name core.DataKind, key string, serialized core.SerializedItem) *value {
	item, err := serialized.Parse(name, key)
	if err != nil {
		return w.undecodable(err)
	}
	return w.newValue(item)
}

func (w *CachingStoreWrapper) newValue(item *core.Item) *value {
	return (&value{item: item}).lasting(w.life.from(w.clock.exactNow()))
}

// absent returns the value of an item that a read did not find, for which lifeOfAbsence was asked before.
func (w *CachingStoreWrapper) absent(life lifetimes) *value {
	return (&value{}).lasting(life.from(w.clock.exactNow()))
}

// lifeOfAbsence returns how long a read that begins now may say that something is absent. Until the database is known to be
// initialised, another process may be about to fill it.
func (w *CachingStoreWrapper) lifeOfAbsence() lifetimes {
	life := w.life
	if life.forever && !w.initialized.Load() {
		life.forever, life.ttl = false, w.opts.CheckInterval
	}
	return life
}

func (w *CachingStoreWrapper) undecodable(err error) *value {
	return (&value{err: err}).lasting(w.life.fromError(w.clock.exactNow()), never)
}

// Initialized implements [core.ReadOnlyStore]. Once true it stays true, also when the database is wiped: what this
// process knows stays usable. A "no" is kept like an item: in Forever mode it is the monitor that asks again.
func (w *CachingStoreWrapper) Initialized(ctx context.Context) (bool, error) {
	if ctx != nil && w.initialized.Load() && w.caches() && !w.store.Closed() {
		return true, nil
	}
	if err := w.check(ctx); err != nil {
		return false, err
	}
	if w.caches() && w.clock.now() < w.notInitializedUntil.Load() {
		return false, nil
	}
	if s := w.db.now(); !w.mayRead(s) {
		return false, s.err()
	}
	return wait(ctx, w, &w.asking, "", false, func(ctx context.Context) (bool, error) {
		return w.noteMark(w.readMark(ctx))
	})
}

// readMark asks the database for its mark.
func (w *CachingStoreWrapper) readMark(ctx context.Context) (bool, error) {
	suspicion := w.suspect()
	initialized, err := w.store.Initialized(ctx)
	w.answered(ctx, suspicion, err)
	return initialized, err
}

// noteMark remembers whether the database is initialised.
func (w *CachingStoreWrapper) noteMark(initialized bool, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	w.askedMark.Store(true)
	if initialized {
		w.initialized.Store(true)
		w.marked.Store(!w.opts.AcceptWipe)
	} else {
		w.notInitializedUntil.Store(w.life.fromNotInitialized(w.clock.exactNow()))
	}
	return initialized, nil
}
