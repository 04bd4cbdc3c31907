package caching

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// refreshers is how many requests for items of a kind are under way at once in the background, and itemsPerRequest how many
	// items each is for, if the store can read several.
	refreshers      = 8
	itemsPerRequest = 50
	// manyDue is from how many items on, if they are a considerable part of a kind (one in wholeShare), the kind is read as a
	// whole instead. Of a kind that never was, the size is not known.
	manyDue    = 64
	wholeShare = 8
)

// refresh moves the clock, keeps what is in use fresh, makes room, and reads again what a watch reported, until the wrapper is
// closed.
func (w *CachingStoreWrapper) refresh() {
	ticker := time.NewTicker(w.life.tick)
	defer ticker.Stop()
	for {
		select {
		case <-w.store.Context().Done():
			return
		case <-w.reports.signal:
			w.takeReports()
		case <-ticker.C:
			w.sweep(w.clock.tick())
		}
		w.followDue()
	}
}

// sweep begins to read again what is in use and due, and forgets what need not be kept.
func (w *CachingStoreWrapper) sweep(now int64) {
	g := w.gen.Load()
	full := w.opts.Capacity > 0 && g.size() >= w.opts.Capacity && w.db.now().readable()
	for _, k := range g.kinds() {
		due, gone := k.scan(now, full)
		for _, key := range gone {
			k.drop(key)
		}
		size := k.slots.Size() // of the kind, if it was read as a whole
		whole := k.wholeDue(now) || k.wholeUntil.Load() != 0 && len(due) >= max(manyDue, size/wholeShare)
		if !whole && len(due) == 0 || w.notAsked(g, k) != nil || !k.refreshing.CompareAndSwap(false, true) {
			continue
		}
		w.store.Go(func() {
			defer k.refreshing.Store(false)
			if whole {
				_, _ = w.reloadAll(g, k) // a failure has been noted, and what is known stays
				return
			}
			_ = w.reload(g, k, due, func(string, *value, *value) {}) // what was not read stays due
		})
	}
}

// reload reads items again, as long as that succeeds, tells what each was and is, and returns those that were not read.
func (w *CachingStoreWrapper) reload(
	g *generation, k *kind, keys []string, tell func(key string, was, is *value),
) (unread []string) {
	var mu sync.Mutex // guards unread
	group, ctx := errgroup.WithContext(w.store.Context())
	group.SetLimit(refreshers)
	size := 1
	if w.store.GetsItems() {
		size = itemsPerRequest
	}
	for some := range slices.Chunk(keys, size) {
		group.Go(func() error {
			err := ctx.Err()
			if err == nil {
				err = w.reloadItems(g, k, some, tell)
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				unread = append(unread, some...)
			}
			return err
		})
	}
	_ = group.Wait() // the first failure has ended the rest
	return unread
}

// errReplaced is the error of reading again what was replaced meanwhile.
var errReplaced = errors.New("caching: all data was replaced during a load")

// reloadItems reads items again in one request.
func (w *CachingStoreWrapper) reloadItems(g *generation, k *kind, keys []string, tell func(key string, was, is *value)) error {
	was := make([]*value, len(keys))
	for i, key := range keys {
		was[i] = k.lookup(key)
	}
	if len(keys) == 1 {
		is, err := w.reloadItem(g, k, keys[0])
		if err == nil {
			tell(keys[0], was[0], is)
		}
		return err
	}
	begin, life := k.begin(), w.lifeOfAbsence()
	loaded, err := w.readItems(w.store.Context(), k.name, keys)
	if err != nil {
		return err
	}
	for i, key := range keys {
		v := loaded[key]
		if v == nil {
			v = w.absent(life)
		}
		w.noteLoaded(k, key, v)
		tell(key, was[i], k.load(key, v, begin, w.opts.AcceptWipe, w.room))
	}
	w.afterLoad(k)
	return w.replaced(g)
}

func (w *CachingStoreWrapper) reloadItem(g *generation, k *kind, key string) (*value, error) {
	v, err := wait(w.store.Context(), w, &k.loads, key, false, func(ctx context.Context) (*value, error) {
		return w.load(ctx, k, key)
	})
	return v, cmp.Or(err, w.replaced(g))
}

func (w *CachingStoreWrapper) reloadAll(g *generation, k *kind) (*allOf, error) {
	all, err := wait(w.store.Context(), w, &k.allLoads, wholeKind, false, func(ctx context.Context) (*allOf, error) {
		return w.loadAll(ctx, k)
	})
	return all, cmp.Or(err, w.replaced(g))
}

// replaced returns an error if a generation is no longer in use, so that what was read for it is of none.
func (w *CachingStoreWrapper) replaced(g *generation) error {
	if w.gen.Load() != g {
		return errReplaced
	}
	return nil
}

// scan returns the keys that are in use and due to be read again, and those that need not be kept: unknown keys whose
// time has come, and, if the cache is full, what was not read lately.
func (k *kind) scan(now int64, full bool) (due, gone []string) {
	crowded := full || k.unknownKeys() >= maxUnknownKeys
	evict := full && !k.own && (k.wholeUntil.Load() == 0 || now >= k.wholeUntil.Load() && !k.wholeUsed.Load())
	for key, s := range k.slots.All() {
		v, used := s.value.Load(), s.used.Load()
		switch {
		case v.held():
		case !used && v.isUnknown() && (now >= v.expires.Load() || crowded), !used && evict:
			gone = append(gone, key)
		case used && now >= v.refreshAt.Load():
			due = append(due, key)
		case evict, crowded && v.isUnknown():
			s.used.Store(false) // a second chance until the next sweep
		}
	}
	return due, gone
}

// wholeDue reports whether the kind is in use as a whole and due to be read again.
func (k *kind) wholeDue(now int64) bool {
	return k.wholeUntil.Load() != 0 && k.wholeUsed.Load() && now >= k.wholeRefreshAt.Load()
}
