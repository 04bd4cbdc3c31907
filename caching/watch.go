package caching

import (
	"errors"
	"time"

	"github.com/cleatdev/cleat/core"
)

// AddChangeListener implements [core.ChangeProvider]. It tells of what others wrote, if the store can be watched. While there
// is a listener, kinds that were read as a whole are kept so.
func (w *CachingStoreWrapper) AddChangeListener(listener func(core.Change)) (remove func()) {
	return w.changes.Add(listener)
}

// watched reports whether the store is asked to tell of changes.
func (w *CachingStoreWrapper) watched() bool {
	return w.store.Watches() && !w.opts.DisableWatch
}

// startWatching keeps what is cached in step with what others write, if the store tells of it.
func (w *CachingStoreWrapper) startWatching() {
	if !w.watched() {
		if w.life.forever {
			w.opts.Logger.Warn(notReadAgain)
		}
		return
	}
	w.store.Go(func() {
		err := w.store.Watch(w.store.Context(), w.takeUp)
		switch {
		case w.store.Closed(), errors.Is(err, core.ErrClosed):
		case w.life.forever:
			w.opts.Logger.Warn(notReadAgain, "reason", err)
		default:
			w.opts.Logger.Info("caching: the data store is not watched; changes by others show when cached items expire",
				"reason", err)
		}
	})
}

const notReadAgain = "caching: the data store is not watched and the mode is Forever, so that nothing that is cached is read again; " +
	"without a data source that delivers to this process, flags stay as they are"

// takeUp takes up what a watch reports, whatever a faulty adapter makes of it.
func (w *CachingStoreWrapper) takeUp(change core.Change) {
	if len(change.Key) > maxReportedKey {
		change.Key = "" // it may be any of the kind
	}
	if err := change.Kind.Validate(); err != nil && change != (core.Change{}) {
		w.reports.refused.Do(func() {
			w.opts.Logger.Warn("caching: the data store reports changes of what is no kind of items; they are ignored", "error", err)
		})
		return
	}
	w.reports.add(change)
}

// spread returns a random time after which so many bytes are to be read, at the given rate per second on average.
func (w *CachingStoreWrapper) spread(bytes, rate int) time.Duration {
	if bytes < smallRead {
		return 0
	}
	most := time.Duration(bytes) * time.Second / time.Duration(rate)
	return time.Duration(w.opts.random() * float64(min(most, w.reports.period)))
}

// takeReports begins to read again what was reported of single items, and schedules the reading of kinds. While the database
// is not read nothing is; the end of an outage counts as a change of everything.
func (w *CachingStoreWrapper) takeReports() {
	g := w.gen.Load()
	items := map[*kind][]string{}
	for _, change := range w.reports.take() {
		k := g.kind(change.Kind)
		switch {
		case !w.db.now().readable():
			w.wakeMonitor() // another process may have filled a database that was emptied
		case change.Kind != "" && k == nil:
			w.changes.Publish(change) // nothing is known of the kind, so that there is nothing to read again
		case change.Key != "" && w.reports.of(k).affordsItem(k, change.Key):
			items[k] = append(items[k], change.Key)
		default:
			for _, k := range g.kinds() {
				if change.Kind == "" || change.Kind == k.name {
					w.schedule(k, change.Kind == "")
				}
			}
		}
	}
	for k, keys := range items {
		if w.notAsked(g, k) == nil {
			w.store.Go(func() { w.followItems(g, k, keys) })
		}
	}
	w.reports.begun = true
}

// schedule schedules the reading of a kind because of a report.
func (w *CachingStoreWrapper) schedule(k *kind, everything bool) {
	s := w.reports.of(k)
	if !s.due.IsZero() {
		return
	}
	rate := changeRate
	if everything {
		rate = reconnectRate
	}
	bytes := w.bytesToFollow(k)
	s.due, s.quiet = s.whole.free(bytes), !w.reports.begun
	if now := time.Now(); s.due.Before(now) {
		s.due = now
	}
	s.due = s.due.Add(w.spread(bytes, rate))
}

// usesAll reports whether a kind is in use as a whole.
func (w *CachingStoreWrapper) usesAll(k *kind) bool {
	return k.wholeUntil.Load() != 0 && (k.wholeUsed.Load() || w.changes.HasListeners())
}

// bytesToFollow returns how many bytes are read about because of a change in a kind.
func (w *CachingStoreWrapper) bytesToFollow(k *kind) int {
	if !w.caches() {
		return smallRead / 16 // which is not known
	}
	return k.bytes(w.usesAll(k))
}

// followDue begins to read kinds of which the time has come.
func (w *CachingStoreWrapper) followDue() {
	g := w.gen.Load()
	for name, s := range w.reports.kinds {
		k := g.kind(name)
		if s.due.IsZero() || s.due.After(time.Now()) || k == nil || w.notAsked(g, k) != nil {
			continue
		}
		s.whole.spend(w.bytesToFollow(k))
		s.due = time.Time{}
		quiet := s.quiet
		w.store.Go(func() { w.followKind(g, k, quiet) })
	}
}

// followItems reads items of a kind again and tells of those that are not what they were.
func (w *CachingStoreWrapper) followItems(g *generation, k *kind, keys []string) {
	k.following <- struct{}{}
	defer func() { <-k.following }()
	var known []string
	for _, key := range keys {
		if k.lookup(key) == nil && k.wholeUntil.Load() == 0 {
			k.noteChange(key)
			w.changes.Publish(core.Change{Kind: k.name, Key: key}) // nothing is known of it, so that there is nothing to read again
		} else {
			known = append(known, key)
		}
	}
	w.reloadChanged(g, k, known)
}

// reloadChanged reads items again and tells of those that are not what they were. Loads that began before the change do not count
// any more. What cannot be read is reported again.
func (w *CachingStoreWrapper) reloadChanged(g *generation, k *kind, keys []string) {
	for _, key := range keys {
		k.noteChange(key)
	}
	unread := w.reload(g, k, keys, func(key string, was, is *value) {
		if !is.sameAs(was) {
			w.changes.Publish(core.Change{Kind: k.name, Key: key})
		}
	})
	switch len(unread) {
	case 0:
	case 1:
		w.followLater(core.Change{Kind: k.name, Key: unread[0]})
	default:
		w.followLater(core.Change{Kind: k.name})
	}
}

// followLater takes up a report again of which the reading has failed.
func (w *CachingStoreWrapper) followLater(change core.Change) {
	w.store.Go(func() {
		if w.rest(w.opts.MinRetryDelay) {
			w.reports.add(change)
		}
	})
}

// followKind reads again what is in use of a kind, and tells of every item that is not what it was. What is not in use
// expires.
func (w *CachingStoreWrapper) followKind(g *generation, k *kind, quiet bool) {
	k.following <- struct{}{}
	defer func() { <-k.following }()
	k.noteChange("")
	if !w.usesAll(k) {
		w.reloadChanged(g, k, k.expire(w.clock.exactNow()))
		if !quiet || k.asked.Load() && !w.caches() {
			w.changes.Publish(core.Change{Kind: k.name})
		}
		return
	}
	before := k.all()
	after, err := w.reloadAll(g, k)
	if err != nil {
		w.followLater(core.Change{Kind: k.name})
		return
	}
	for key, item := range after.items {
		if was := before.items[key]; was == nil || !was.SameContent(item) {
			w.changes.Publish(core.Change{Kind: k.name, Key: key})
		}
	}
	for key := range before.items {
		if after.items[key] == nil {
			w.changes.Publish(core.Change{Kind: k.name, Key: key})
		}
	}
}
