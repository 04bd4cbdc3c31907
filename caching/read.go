package caching

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/singleflight"

	"github.com/cleatdev/cleat/core"
)

// wholeKind is the name under which reads of a whole kind are made one.
const wholeKind = ""

// Get implements [core.ReadOnlyStore]. What is cached and fresh is returned without a look at ctx.
func (w *CachingStoreWrapper) Get(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	if c := w.epoch.Load().cache(kind); c != nil {
		if s, found := c.slots.Load(key); found {
			if v := s.value.Load(); w.clock.now() < v.expires {
				s.markUsed()
				return v.live()
			}
		}
	}
	return w.getSlowly(ctx, kind, key)
}

func (w *CachingStoreWrapper) getSlowly(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	if err := w.check(ctx); err != nil {
		return nil, false, err
	}
	if err := core.ValidateKey(kind, key); err != nil {
		return nil, false, fmt.Errorf("caching: %w", err)
	}
	if !w.caches() {
		v, err := w.getUncached(ctx, kind, key)
		if err != nil {
			return nil, false, err
		}
		return v.live()
	}
	c := w.epoch.Load().cacheFor(kind, w.life)
	if o := w.health.unreadable(); o != nil {
		return w.getStale(c, key, o.err())
	}
	v, err := w.await(ctx, &c.loads, key, func() (any, error) {
		if v := c.lookup(key); v != nil && w.clock.now() < v.expires {
			return v, nil // a load has ended since this caller looked
		}
		return w.loadItem(ctx, c, key, knownStays)
	})
	switch {
	case err == nil:
		return v.(*value).live()
	case errors.Is(err, core.ErrClosed) || err == ctx.Err(): //nolint:errorlint // context errors are never wrapped
		return nil, false, err
	default:
		return w.getStale(c, key, err)
	}
}

// getStale answers without the database.
func (w *CachingStoreWrapper) getStale(c *kindCache, key string, cause error) (*core.Item, bool, error) {
	now := w.clock.now()
	if s, found := c.slots.Load(key); found {
		if v := s.value.Load(); v.err == nil && (v.pinned || w.usable(v.expires, now)) {
			s.markUsed()
			return v.live()
		}
	} else if all := c.snapshotNow(); all != nil && w.usable(all.expires, now) {
		if item, found := all.items[key]; found {
			return item, true, nil
		}
		if all.corrupt[key] == nil {
			return nil, false, nil // everything is known, and the key is not among it
		}
	}
	return nil, false, cause
}

// usable reports whether something that expired may still be used during an outage.
func (w *CachingStoreWrapper) usable(expires, now int64) bool {
	return w.opts.MaxStale == 0 || expires == never || now < expires+int64(w.opts.MaxStale)
}

// All implements [core.ReadOnlyStore].
func (w *CachingStoreWrapper) All(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("caching: %w", err)
	}
	if !w.caches() {
		return w.allUncached(ctx, kind)
	}
	c := w.epoch.Load().cacheFor(kind, w.life)
	if s := c.snapshotNow(); s != nil && w.clock.now() < s.expires {
		c.allUsed.Store(true)
		return s.items, s.err
	}
	if o := w.health.unreadable(); o != nil {
		return w.allStale(c, o.err())
	}
	s, err := w.await(ctx, &c.allLoads, wholeKind, func() (any, error) {
		if s := c.snapshotNow(); s != nil && w.clock.now() < s.expires {
			return s, nil
		}
		return w.loadAll(ctx, c, knownStays)
	})
	switch {
	case err == nil:
		return s.(*snapshot).items, s.(*snapshot).err
	case errors.Is(err, core.ErrClosed) || err == ctx.Err(): //nolint:errorlint // context errors are never wrapped
		return nil, err
	default:
		return w.allStale(c, err)
	}
}

func (w *CachingStoreWrapper) allStale(c *kindCache, cause error) (map[string]*core.Item, error) {
	if s := c.snapshotNow(); s != nil && w.usable(s.expires, w.clock.now()) {
		c.allUsed.Store(true)
		return s.items, s.err
	}
	return nil, cause
}

// await joins the load with the given name, or begins it, and waits until it ends, ctx does, the database becomes
// unreadable, or the wrapper is closed.
func (w *CachingStoreWrapper) await(ctx context.Context, loads *singleflight.Group, name string, load func() (any, error)) (any, error) {
	readsEnd := w.health.reading()
	done := loads.DoChan(name, load)
	select {
	case r := <-done:
		return r.Val, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-readsEnd:
		return nil, w.outageError()
	case <-w.run.ctx.Done():
		return nil, core.ErrClosed
	}
}

func (w *CachingStoreWrapper) outageError() error {
	if o := w.health.current.Load(); o != nil {
		return o.err()
	}
	return fmt.Errorf("caching: the database failed a moment ago: %w", core.ErrUnavailable)
}

// loadItem reads one item from the database into the cache.
func (w *CachingStoreWrapper) loadItem(ctx context.Context, c *kindCache, key string, over precedence) (*value, error) {
	began := c.begin()
	v, err := w.readItem(ctx, c.kind, key)
	if err != nil {
		return nil, err
	}
	w.compare(c, key, v)
	if old := c.lookup(key); v.err == nil && v.item == nil && old != nil && old.isLive() {
		if err := w.checkMark(ctx); err != nil {
			return nil, err
		}
		// The database may have been emptied before it was read, and filled again before it was asked for the mark.
		if v, err = w.readItem(ctx, c.kind, key); err != nil {
			return nil, err
		}
		// Or it was emptied between the mark and that reading.
		if err := w.checkMark(ctx); err != nil {
			return nil, err
		}
	}
	return c.putRead(key, v, began, over, w.room), nil
}

// compare looks for signs of trouble in what was read.
func (w *CachingStoreWrapper) compare(c *kindCache, key string, read *value) {
	old := c.lookup(key)
	switch {
	case read.err == nil:
		c.reported.Delete(key)
	case c.reported.Size() >= maxUnknownKeys:
	default:
		if _, before := c.reported.LoadOrStore(key, struct{}{}); before {
			break
		}
		w.opts.Logger.Error("caching: an item in the data store cannot be decoded; it is treated as missing", "error", read.err)
	}
	if read.err == nil && read.item == nil && old != nil && old.isLive() {
		w.wakeMonitor() // an item that vanishes without a tombstone may mean that the database was wiped
	}
	if read.isLive() && !w.foundItem.Load() && w.foundItem.CompareAndSwap(false, true) && !w.databaseInitialized.Load() {
		w.wakeMonitor() // the mark has to be known for its loss to be noticed
	}
}

// loadAll reads a whole kind from the database into the cache.
func (w *CachingStoreWrapper) loadAll(ctx context.Context, c *kindCache, over precedence) (*snapshot, error) {
	began := c.begin()
	values, err := w.readAll(ctx, c.kind)
	if err != nil {
		return nil, err
	}
	for key, v := range values {
		w.compare(c, key, v)
	}
	if c.lacks(values) { // as for a single item
		if err := w.checkMark(ctx); err != nil {
			return nil, err
		}
		if values, err = w.readAll(ctx, c.kind); err != nil {
			return nil, err
		}
		if err := w.checkMark(ctx); err != nil {
			return nil, err
		}
	}
	life := c.life
	if life.forever && !w.initialized.Load() {
		life = lifetimes{ttl: w.opts.CheckInterval, random: life.random} // somebody may be about to fill the database
	}
	return c.putAllRead(values, began, w.clock.exactNow(), life, over, w.room), nil
}

// checkMark returns an error if the database has lost the mark that it is initialised: that something is missing there
// then does not mean that it was deleted.
func (w *CachingStoreWrapper) checkMark(ctx context.Context) error {
	wasInitialized := w.databaseInitialized.Load() // which becomes false only after the outage has begun
	if o := w.health.unreadable(); o != nil {
		return o.err()
	}
	if !wasInitialized {
		return nil
	}
	mark := w.health.mark()
	initialized, err := w.askInitialized(ctx)
	if err != nil || initialized {
		return err
	}
	o := &outage{cause: errWiped}
	if w.health.trip(mark, o) {
		w.databaseInitialized.Store(false)
		w.wakeMonitor()
	}
	return o.err()
}

// readItem asks the database for one item.
func (w *CachingStoreWrapper) readItem(parent context.Context, kind core.DataKind, key string) (*value, error) {
	type result struct {
		item  core.SerializedItem
		found bool
	}
	r, err := call(parent, w, "Get", w.opts.ReadTimeout, func(ctx context.Context) (result, error) {
		item, found, err := w.core.Get(ctx, kind, key)
		return result{item, found}, err
	})
	if items, only := core.ItemErrors(err); only {
		return w.undecodable(items[0]), nil
	}
	if err != nil {
		return nil, err
	}
	if !r.found {
		return w.newValue(nil), nil
	}
	return w.parse(kind, key, r.item), nil
}

// readAll asks the database for all items of a kind.
func (w *CachingStoreWrapper) readAll(parent context.Context, kind core.DataKind) (map[string]*value, error) {
	items, err := call(parent, w, readingAll, w.opts.ReadAllTimeout, func(ctx context.Context) ([]core.KeyedSerializedItem, error) {
		return w.core.GetAll(ctx, kind)
	})
	if err != nil {
		return nil, err
	}
	values := make(map[string]*value, len(items))
	for _, it := range items {
		values[it.Key] = w.parse(kind, it.Key, it.Item)
	}
	return values, nil
}

func (w *CachingStoreWrapper) parse(kind core.DataKind, key string, serialized core.SerializedItem) *value {
	item, err := serialized.Parse(kind, key)
	if err != nil {
		return w.undecodable(err)
	}
	return w.newValue(item)
}

func (w *CachingStoreWrapper) newValue(item *core.Item) *value {
	v := &value{item: item}
	v.expires, v.refreshAt = w.life.from(w.clock.exactNow())
	if item == nil && w.life.forever && !w.initialized.Load() {
		v.expires = w.clock.exactNow() + int64(w.opts.CheckInterval) // somebody may be about to fill the database
	}
	return v
}

func (w *CachingStoreWrapper) undecodable(err error) *value {
	return &value{err: err, expires: w.life.fromError(w.clock.exactNow()), refreshAt: never}
}

func (w *CachingStoreWrapper) getUncached(ctx context.Context, kind core.DataKind, key string) (*value, error) {
	if o := w.health.unreadable(); o != nil {
		return nil, o.err()
	}
	w.readUncached.Store(true)
	return detached(ctx, &w.run, func() (*value, error) { return w.readItem(ctx, kind, key) })
}

func (w *CachingStoreWrapper) allUncached(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
	if o := w.health.unreadable(); o != nil {
		return nil, o.err()
	}
	w.readUncached.Store(true)
	values, err := detached(ctx, &w.run, func() (map[string]*value, error) { return w.readAll(ctx, kind) })
	if err != nil {
		return nil, err
	}
	live := make(map[string]*core.Item, len(values))
	corrupt := map[string]error{}
	for key, v := range values {
		if v.err != nil {
			corrupt[key] = v.err
		} else if v.isLive() {
			live[key] = v.item
		}
	}
	return live, joinErrors(corrupt)
}
