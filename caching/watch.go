package caching

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// AddChangeListener implements [core.ChangeProvider]. It tells of what others wrote, if the store can be watched.
func (w *CachingStoreWrapper) AddChangeListener(listener func(core.Change)) (remove func()) {
	return w.changes.Add(listener)
}

// startWatching keeps what is cached in step with what others write, if the store tells of it.
func (w *CachingStoreWrapper) startWatching() {
	watcher, found := w.core.(core.Watcher)
	if !found || w.opts.DisableWatch {
		return
	}
	w.run.start(func() {
		defer w.run.calling("Watch")()
		err := watcher.Watch(w.run.ctx, w.unseen.add)
		if w.run.ctx.Err() == nil && !errors.Is(err, core.ErrClosed) {
			w.opts.Logger.Info("caching: the data store is not watched; changes by others show when cached items expire",
				"reason", err)
		}
	})
	w.run.start(w.followChanges)
}

// unseenChanges is what was reported and not read again yet. A change that is reported several times counts once.
type unseenChanges struct {
	signal chan struct{} // holds a token if there is something

	mu      sync.Mutex // guards what follows
	changes map[core.Change]struct{}
}

// maxUnseenChanges is how many changes of single items wait to be read before everything is read instead.
const maxUnseenChanges = 1000

func newUnseenChanges() *unseenChanges {
	return &unseenChanges{signal: make(chan struct{}, 1), changes: make(map[core.Change]struct{})}
}

func (u *unseenChanges) add(change core.Change) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.changes) >= maxUnseenChanges {
		change = core.Change{}
	}
	if change == (core.Change{}) {
		clear(u.changes)
	}
	u.changes[change] = struct{}{}
	select {
	case u.signal <- struct{}{}:
	default:
	}
}

// take returns what has accumulated; a change of everything stands for all others.
func (u *unseenChanges) take() []core.Change {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, everything := u.changes[core.Change{}]; everything {
		clear(u.changes)
		return []core.Change{{}}
	}
	taken := make([]core.Change, 0, len(u.changes))
	for change := range u.changes {
		taken = append(taken, change)
	}
	clear(u.changes)
	return taken
}

// followChanges reads again what was reported, until the wrapper is closed. During an outage it reads nothing; the end
// of an outage counts as a change of everything.
func (w *CachingStoreWrapper) followChanges() {
	for first := true; ; first = false { // the first change only says that the watch has begun

		select {
		case <-w.run.ctx.Done():
			return
		case <-w.unseen.signal:
		}
		began := time.Now()
		for _, change := range w.unseen.take() {
			if w.health.unreadable() == nil {
				w.follow(w.run.ctx, change, first)
			} else {
				w.wakeMonitor() // whoever has emptied the database may have filled it again
			}
		}
		w.rest(min(restShare*time.Since(began), maxRest))
	}
}

const (
	// restShare is how many times longer than the reading of changes the pause after it is, so that following a database
	// that changes all the time leaves most of a processor to others. maxRest bounds the pause where reading takes long.
	restShare = 3
	maxRest   = time.Second
)

func (w *CachingStoreWrapper) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.run.ctx.Done():
	case <-timer.C:
	}
}

// follow reads again what changed. That something changed of which nothing is known is announced unless quiet is true.
func (w *CachingStoreWrapper) follow(ctx context.Context, change core.Change, quiet bool) {
	announce := func(change core.Change) {
		if !quiet {
			w.changes.Publish(change)
		}
	}
	if !w.caches() {
		// Before the first change, which says that the watch has begun, something may have changed that was read before.
		if !quiet || w.readUncached.Load() {
			w.changes.Publish(change)
		}
		return
	}
	e := w.epoch.Load()
	for _, c := range e.all() {
		if change.Kind != "" && change.Kind != c.kind {
			continue
		}
		if change.Key == "" {
			w.followKind(ctx, c, announce)
		} else {
			w.followItem(ctx, c, change.Key)
		}
	}
	if change.Kind != "" && e.cache(change.Kind) == nil {
		announce(change) // nothing is known of the kind, so that there is nothing to read again
	}
}

// precedence returns what a change that others made does to what is known in Forever mode.
func (w *CachingStoreWrapper) precedence() precedence {
	if w.writer.Load() {
		return newerWins
	}
	return readWins
}

// followItem reads an item again and tells if it is not what it was. Loads that began before the change do not count
// any more.
func (w *CachingStoreWrapper) followItem(ctx context.Context, c *kindCache, key string) {
	old := c.lookup(key)
	if old == nil && c.all.Load() == nil {
		c.noteChange()
		w.changes.Publish(core.Change{Kind: c.kind, Key: key})
		return
	}
	c.loads.Forget(key)
	c.allLoads.Forget(wholeKind)
	now, err := w.loadItem(ctx, c, key, w.precedence())
	if err == nil && !now.sameAs(old) {
		w.changes.Publish(core.Change{Kind: c.kind, Key: key})
	}
}

// followKind reads a kind again and tells of every item that is not what it was, or, if the kind was never read as a
// whole, that anything in it may have changed.
func (w *CachingStoreWrapper) followKind(ctx context.Context, c *kindCache, announce func(core.Change)) {
	before := c.snapshotNow()
	if before == nil && c.slots.Size() == 0 {
		c.noteChange()
		announce(core.Change{Kind: c.kind})
		return
	}
	c.forgetLoads()
	after, err := w.loadAll(ctx, c, w.precedence())
	if err != nil {
		return
	}
	if before == nil {
		announce(core.Change{Kind: c.kind})
		return
	}
	for _, key := range before.differences(after) {
		w.changes.Publish(core.Change{Kind: c.kind, Key: key})
	}
}

// forgetLoads makes loads that are under way not count for callers who come from now on.
func (c *kindCache) forgetLoads() {
	c.allLoads.Forget(wholeKind)
	for key := range c.slots.All() {
		c.loads.Forget(key)
	}
}
