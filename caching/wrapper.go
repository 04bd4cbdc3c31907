package caching

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
)

var (
	_ core.FeatureStore            = (*CachingStoreWrapper)(nil)
	_ core.DataStoreStatusProvider = (*CachingStoreWrapper)(nil)
	_ core.ChangeProvider          = (*CachingStoreWrapper)(nil)
)

// CachingStoreWrapper is a [core.FeatureStore] over a database. See the package documentation for what it promises.
// Make one with [NewCachingStoreWrapper].
//
//nolint:revive // the field's name for it, which users look for
type CachingStoreWrapper struct {
	core   core.FeatureStoreCore
	opts   Options
	life   lifetimes
	clock  *coarseClock
	health *health
	kick   chan struct{} // wakes the monitor

	unseen  *unseenChanges // reported by a watch of the database
	changes *broadcast.Broadcaster[core.Change]

	// epoch is what is known; another one takes its place when everything is replaced.
	epoch atomic.Pointer[epoch]
	// initialized is true once the store is known to have been initialised, in the database or in memory.
	initialized atomic.Bool
	// notInitializedUntil is until when the database need not be asked again; Unix ns.
	notInitializedUntil atomic.Int64
	// asking makes one question of many whether the database is initialised.
	asking singleflight.Group
	// databaseInitialized is true if the database was initialised when it was last looked at.
	databaseInitialized atomic.Bool
	// foundItem is true once a read of the database has found an item, which makes the monitor look at the mark.
	foundItem atomic.Bool
	// readUncached is true once something was read in mode Off.
	readUncached atomic.Bool
	// writer is true once this process has tried to write, so that an outage may have cost it an update.
	writer atomic.Bool
	// wrote is true once a write has succeeded; the monitor makes it false again.
	wrote atomic.Bool

	// writers is held by one for an Upsert and by all for what replaces everything, so that cache and database see the
	// same order.
	writers *semaphore.Weighted

	run lifecycle
}

// allWriters is the whole of the semaphore that keeps an Init and upserts apart.
const allWriters = 1 << 30

// NewCachingStoreWrapper returns a wrapper over core, which it owns from then on: Close closes it. A nil opts means
// Options{}. It does not touch the database. An error wraps [core.ErrInvalid].
func NewCachingStoreWrapper(store core.FeatureStoreCore, opts *Options) (*CachingStoreWrapper, error) {
	if store == nil {
		return nil, fmt.Errorf("caching: %w: no store to wrap", core.ErrInvalid)
	}
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	w := &CachingStoreWrapper{
		core:    store,
		opts:    o,
		life:    newLifetimes(o.Mode, o.Random),
		clock:   newCoarseClock(o.Now),
		health:  newHealth(o.Logger),
		kick:    make(chan struct{}, 1),
		unseen:  newUnseenChanges(),
		changes: broadcast.New[core.Change](o.Logger),
		writers: semaphore.NewWeighted(allWriters),
	}
	w.epoch.Store(newEpoch(w.life))
	w.run.init()
	w.run.start(w.monitor)
	w.startWatching()
	if w.caches() {
		w.run.start(w.sweep)
	}
	return w, nil
}

// caches reports whether anything is kept in memory.
func (w *CachingStoreWrapper) caches() bool { return w.opts.Mode.kind != modeOff }

// room reports whether one more key may be kept.
func (w *CachingStoreWrapper) room() bool {
	return w.opts.Capacity == 0 || w.epoch.Load().size() < w.opts.Capacity
}

// Status implements [core.DataStoreStatusProvider].
func (w *CachingStoreWrapper) Status() core.DataStoreStatus { return w.health.currentStatus() }

// MonitoringEnabled implements [core.DataStoreStatusProvider]. It is always true.
func (w *CachingStoreWrapper) MonitoringEnabled() bool { return true }

// AddListener implements [core.DataStoreStatusProvider].
func (w *CachingStoreWrapper) AddListener(listener func(core.DataStoreStatus)) (remove func()) {
	return w.health.listeners.Add(listener)
}
