package caching

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// refreshers is how many items of a kind are read at once to keep them fresh.
	refreshers = 8
	// manyDue is from how many items on a kind may be read as a whole instead.
	manyDue = 64
	// wholeShare is the part of a kind (one in …) that must be due for that.
	wholeShare = 8
	// slowRefreshShare is the part of the time of a read (one in …) after which a refresh counts as slow.
	slowRefreshShare = 4
)

// sweep moves the clock, keeps what is in use fresh, and makes room, until the wrapper is closed.
func (w *CachingStoreWrapper) sweep() {
	ticker := time.NewTicker(w.life.tick)
	defer ticker.Stop()
	for {
		select {
		case <-w.run.ctx.Done():
			return
		case <-ticker.C:
		}
		now := w.clock.tick()
		e := w.epoch.Load()
		full := w.opts.Capacity > 0 && e.size() >= w.opts.Capacity
		for _, c := range e.all() {
			due, gone := c.scan(now, full, w.opts.MaxStale)
			for _, key := range gone {
				c.drop(key)
			}
			if w.health.unreadable() == nil && (len(due) > 0 || c.wholeDue(now)) {
				w.refresh(c, due)
			}
		}
	}
}

// scan returns the keys that are in use and due to be read again, and those that need not be kept: unknown keys whose
// time has come, items too stale to be of use in an outage, and, if the cache is full, what was not read lately.
func (c *kindCache) scan(now int64, full bool, maxStale time.Duration) (due, gone []string) {
	crowded := full || c.unknownKeys() >= maxUnknownKeys
	for key, s := range c.slots.All() {
		v, used := s.value.Load(), s.used.Load()
		expired := now >= v.expires
		switch {
		case v.pinned, c.life.forever && v.written > 0:
		case expired && v.item == nil && !used,
			expired && maxStale > 0 && now >= v.expires+int64(maxStale),
			full && !used && !s.kept,
			crowded && v.item == nil && !used:
			gone = append(gone, key)
		case used && now >= v.refreshAt:
			due = append(due, key)
		case full, crowded && v.item == nil:
			s.used.Store(false) // a second chance until the next sweep
		}
	}
	return due, gone
}

// wholeDue reports whether the kind is in use as a whole and due to be read again.
func (c *kindCache) wholeDue(now int64) bool {
	all := c.all.Load()
	return all != nil && c.allUsed.Load() && now >= all.refreshAt
}

// refresh reads items again in the background, or their whole kind if that is less work. It does nothing if the last
// refresh of the kind is still under way.
func (w *CachingStoreWrapper) refresh(c *kindCache, due []string) {
	whole := c.wholeDue(w.clock.now()) || len(due) >= max(manyDue, c.slots.Size()/wholeShare)
	if !c.refreshing.CompareAndSwap(false, true) {
		return
	}
	w.run.start(func() {
		defer c.refreshing.Store(false)
		// A refresh that takes long may hang; the monitor finds out sooner than the deadline of a whole kind would.
		slow := time.AfterFunc(w.opts.ReadTimeout/slowRefreshShare, w.wakeMonitor)
		defer slow.Stop()
		if whole {
			_, _ = w.await(w.run.ctx, &c.allLoads, wholeKind, func() (any, error) { return w.loadAll(w.run.ctx, c, knownStays) })
			return
		}
		w.refreshItems(c, due)
	})
}

func (w *CachingStoreWrapper) refreshItems(c *kindCache, due []string) {
	group, ctx := errgroup.WithContext(w.run.ctx)
	group.SetLimit(refreshers)
	for _, key := range due {
		group.Go(func() error { return w.refreshItem(ctx, c, key) })
	}
	_ = group.Wait() // the first failure has begun an outage and ended the rest
}

func (w *CachingStoreWrapper) refreshItem(ctx context.Context, c *kindCache, key string) error {
	_, err := w.await(ctx, &c.loads, key, func() (any, error) { return w.loadItem(w.run.ctx, c, key, knownStays) })
	return err
}
