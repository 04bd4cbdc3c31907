package caching

import (
	"context"
	"errors"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
)

// errWiped is the cause of the outage that begins when the database has lost its mark.
var errWiped = errors.New("caching: the database was initialised and is not any more; it was emptied or replaced")

// monitor watches the database until the wrapper is closed: it asks a healthy one now and then whether it is still there
// and initialised, and in an outage it asks at growing intervals until the database is back and restored.
func (w *CachingStoreWrapper) monitor() {
	retry := newRetryDelays(&w.opts)
	timer := time.NewTimer(w.jittered(w.opts.CheckInterval))
	defer timer.Stop()
	var waitingFor *outage // for whose end the timer is set
	for {
		select {
		case <-w.run.ctx.Done():
			return
		case <-timer.C:
			timer.Reset(w.jittered(w.observe(retry)))
			waitingFor = w.health.current.Load()
		case <-w.kick:
			if w.health.current.Load() == nil {
				w.checkHealthy()
			}
			if o := w.health.current.Load(); o != waitingFor {
				waitingFor = o
				if o != nil {
					timer.Reset(w.jittered(w.nextDelay(retry, o)))
				}
			}
		}
	}
}

// observe looks at the database once, and returns how long to wait before the next look. The waiting time in an outage
// starts small again only when the database has been well for a whole interval, so that one that recovers and fails
// again at once is left alone ever longer.
func (w *CachingStoreWrapper) observe(retry *retryDelays) time.Duration {
	if w.health.current.Load() == nil && w.checkHealthy() {
		retry.reset()
		return w.opts.CheckInterval
	}
	if w.recover() {
		return w.opts.CheckInterval
	}
	return w.nextDelay(retry, w.health.current.Load())
}

// nextDelay returns how long to wait in the outage before the next look.
func (w *CachingStoreWrapper) nextDelay(retry *retryDelays, o *outage) time.Duration {
	if w.wrote.Swap(false) {
		retry.resetReadOnly()
	}
	return retry.next(o)
}

// checkHealthy looks at a database that is thought to be well. It reports false if an outage has begun.
func (w *CachingStoreWrapper) checkHealthy() bool {
	wasInitialized := w.databaseInitialized.Load()
	mark := w.health.mark()
	initialized, err := w.askInitialized(w.run.ctx)
	switch {
	case err != nil:
	case initialized:
		if !w.writer.Load() {
			w.health.refreshed() // whoever fills the database has done it again
		}
	case wasInitialized:
		if w.health.trip(mark, &outage{cause: errWiped}) { // otherwise whoever ends the other outage finds out
			w.databaseInitialized.Store(false)
		}
	}
	return w.health.current.Load() == nil
}

// recover tries to end an outage, and reports whether it did.
func (w *CachingStoreWrapper) recover() bool {
	if err := w.checkAvailable(); err != nil {
		return false
	}
	wasInitialized := w.databaseInitialized.Load() || errors.Is(w.outageCause(), errWiped)
	initialized, err := w.askInitialized(w.run.ctx)
	if err != nil {
		return false
	}
	if w.opts.Mode.kind == modeForever && w.epoch.Load().complete {
		return w.rewrite()
	}
	if !initialized {
		if wasInitialized && w.caches() {
			w.health.emptied.Store(&outage{cause: errWiped})
		}
		w.databaseInitialized.Store(false)
	}
	w.health.recovered(w.writer.Load() || wasInitialized && !initialized)
	w.unseen.add(core.Change{}) // what the watch reported during the outage was not read
	return true
}

func (w *CachingStoreWrapper) outageCause() error {
	if o := w.health.current.Load(); o != nil {
		return o.cause
	}
	return nil
}

func (w *CachingStoreWrapper) checkAvailable() error {
	checker, found := w.core.(core.AvailabilityChecker)
	if !found {
		return nil // asking whether it is initialised, which comes next, is the check
	}
	_, err := call(w.run.ctx, w, "CheckAvailability", w.opts.ReadTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, checker.CheckAvailability(ctx)
	})
	return err
}

// rewrite brings the database up to date from memory, which holds everything. If the last Init of this process is in the
// database already, newer versions that others have written since of items that memory knows stay; otherwise it is done
// now, which compares no versions. What memory does not know is removed, as by any Init.
func (w *CachingStoreWrapper) rewrite() bool {
	if err := w.writers.Acquire(w.run.ctx, allWriters); err != nil {
		return false
	}
	defer w.writers.Release(allWriters)
	e := w.epoch.Load()
	data := e.items()
	for i := range data {
		if c := e.cache(data[i].Kind); c != nil && c.sealed {
			continue
		}
		newer, err := w.readAll(w.run.ctx, data[i].Kind)
		if err != nil && !errors.Is(err, core.ErrCorrupt) { // what is damaged is about to be replaced
			return false
		}
		adoptNewer(data[i].Items, newer)
	}
	data = dataorder.Sort(data)
	serialized, err := serialize(data)
	if err != nil {
		w.opts.Logger.Error("caching: what is in memory cannot be written to the data store", "error", err)
		return false
	}
	err = w.writeAll(w.run.ctx, serialized)
	if _, only := core.ItemErrors(err); err != nil && !only {
		if o := outageFrom(err); o != nil && o.readsWork {
			w.health.narrow(o) // it has just been read
			w.unseen.add(core.Change{})
		}
		return false
	}
	w.replaceAll(data, err)
	for _, c := range e.all() {
		if !w.writePinned(c) {
			return false
		}
	}
	w.noteInitialized()
	w.health.recovered(false)
	w.unseen.add(core.Change{})
	return true
}

// writePinned writes what the database does not have yet of a kind that is not known as a whole.
func (w *CachingStoreWrapper) writePinned(c *kindCache) bool {
	if c.all.Load() != nil {
		return true
	}
	for key, s := range c.slots.All() {
		v := s.value.Load()
		if !v.pinned {
			continue
		}
		result, err := call(w.run.ctx, w, "Upsert", w.opts.WriteTimeout, func(ctx context.Context) (core.UpsertResult, error) {
			return w.core.Upsert(ctx, c.kind, key, v.item.Serialized(c.kind, key))
		})
		if _, only := core.ItemErrors(err); only {
			continue
		}
		if err != nil {
			return false
		}
		if winner, err := result.Item.Parse(c.kind, key); err == nil {
			w.remember(c.kind, key, winner, false)
		}
	}
	return true
}

// adoptNewer replaces the items of which the database has a newer version.
func adoptNewer(items []core.KeyedItem, inDatabase map[string]*value) {
	for i, it := range items {
		if v := inDatabase[it.Key]; v != nil && v.item != nil && v.item.Version() > it.Item.Version() {
			items[i].Item = v.item
		}
	}
}

// jittered returns d less up to a quarter, so that processes that began at once do not stay in step.
func (w *CachingStoreWrapper) jittered(d time.Duration) time.Duration {
	return d - time.Duration(w.opts.Random()*float64(d)/4)
}
