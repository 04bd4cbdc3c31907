package caching

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/core"
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
	// hurryShare is the part of the time from when an item is due to its expiry (one in …) within which a refresh should
	// end, because what falls due meanwhile has to wait for its end.
	hurryShare = 2
	// wholePause is for how long a kind that could not be read as a whole is not read so because reading is slow.
	wholePause = 5 * time.Minute
)

// pace is how long reading a kind took lately. The zero value is the pace of a database that takes no time.
type pace struct {
	mu          sync.Mutex // guards what follows; there are two refreshes of a kind while an Init replaces it
	item        time.Duration
	whole       time.Duration
	pausedUntil int64 // no whole kind before; Unix ns
}

// ahead returns how long a refresh that begins now takes at least.
func (p *pace) ahead() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.item
}

// tookItem notes how long one item took.
func (p *pace) tookItem(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.item += (took - p.item) / 4
}

// tookWhole notes how long the whole kind took. No item takes longer.
func (p *pace) tookWhole(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole, p.item = took, min(took, p.item)
}

func (p *pace) pauseWhole(now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pausedUntil = now + int64(wholePause)
}

// prefersWhole reports whether n items cannot be read one by one in the time that is left, but may be with their whole kind.
func (p *pace) prefersWhole(n int, left time.Duration, now int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	oneByOne := time.Duration((n+refreshers-1)/refreshers) * p.item
	return n > refreshers && oneByOne > left && oneByOne >= p.whole && now >= p.pausedUntil
}

// sweep moves the clock, keeps what is in use fresh, and makes room, until the wrapper is closed.
func (w *CachingStoreWrapper) sweep() {
	ticker := time.NewTicker(w.life.tick)
	defer ticker.Stop()
	paces := map[core.DataKind]*pace{}
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
			p := paces[c.kind]
			if p == nil {
				p = &pace{}
				paces[c.kind] = p
			}
			due, gone := c.scan(now, p.ahead(), full, w.opts.MaxStale)
			for _, key := range gone {
				c.drop(key)
			}
			if w.health.unreadable() == nil && (len(due) > 0 || c.wholeDue(now)) {
				w.refresh(c, p, due)
			}
		}
	}
}

// scan returns the keys that are in use and due to be read again, and those that need not be kept: unknown keys whose
// time has come, items too stale to be of use in an outage, and, if the cache is full, what was not read lately. If any key
// is due, those are too that will be within the given time, because they would have to wait for the others.
func (c *kindCache) scan(now int64, ahead time.Duration, full bool, maxStale time.Duration) (due, gone []string) {
	anyDue := false
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
		case used && now+int64(ahead) >= v.refreshAt:
			due = append(due, key)
			anyDue = anyDue || now >= v.refreshAt
		case full, crowded && v.item == nil:
			s.used.Store(false) // a second chance until the next sweep
		}
	}
	if !anyDue {
		due = nil
	}
	return due, gone
}

// wholeDue reports whether the kind is in use as a whole and due to be read again.
func (c *kindCache) wholeDue(now int64) bool {
	all := c.all.Load()
	return all != nil && c.allUsed.Load() && now >= all.refreshAt
}

// refresh reads items again in the background, or their whole kind if that is less work, or faster where that matters. It
// does nothing if the last refresh of the kind is still under way.
func (w *CachingStoreWrapper) refresh(c *kindCache, p *pace, due []string) {
	whole := c.wholeDue(w.clock.now()+int64(p.ahead())) || len(due) >= max(manyDue, c.slots.Size()/wholeShare)
	if !c.refreshing.CompareAndSwap(false, true) {
		return
	}
	w.run.start(func() {
		defer c.refreshing.Store(false)
		// A refresh that takes long may hang; the monitor finds out sooner than the deadline of a whole kind would.
		slow := time.AfterFunc(w.opts.ReadTimeout/slowRefreshShare, w.wakeMonitor)
		defer slow.Stop()
		if whole {
			w.refreshWhole(c, p)
			return
		}
		w.refreshItems(c, p, due)
	})
}

func (w *CachingStoreWrapper) refreshWhole(c *kindCache, p *pace) {
	began := w.clock.exactNow()
	_, err := w.await(w.run.ctx, &c.allLoads, wholeKind, func() (any, error) { return w.loadAll(w.run.ctx, c, knownStays) })
	now := w.clock.exactNow()
	if err != nil {
		p.pauseWhole(now)
		return
	}
	p.tookWhole(time.Duration(now - began))
}

// refreshItems reads items one by one, as long as that is fast enough.
func (w *CachingStoreWrapper) refreshItems(c *kindCache, p *pace, due []string) {
	hurry := w.clock.exactNow() + int64(w.life.ttl/refreshShare/hurryShare)
	group, ctx := errgroup.WithContext(w.run.ctx)
	group.SetLimit(refreshers)
	for i, key := range due {
		if ctx.Err() != nil {
			break
		}
		if now := w.clock.exactNow(); p.prefersWhole(len(due)-i, time.Duration(hurry-now), now) {
			group.Go(func() error { return w.refreshItem(ctx, c, p, key) }) // which tells whether that is fast again
			w.refreshWhole(c, p)
			break
		}
		group.Go(func() error { return w.refreshItem(ctx, c, p, key) })
	}
	_ = group.Wait() // the first failure has begun an outage and ended the rest
}

func (w *CachingStoreWrapper) refreshItem(ctx context.Context, c *kindCache, p *pace, key string) error {
	began := w.clock.exactNow()
	_, err := w.await(ctx, &c.loads, key, func() (any, error) { return w.loadItem(w.run.ctx, c, key, knownStays) })
	if err == nil {
		p.tookItem(time.Duration(w.clock.exactNow() - began))
	}
	return err
}
