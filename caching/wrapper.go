package caching

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
	"github.com/cleatdev/cleat/internal/lifecycle"
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
	store *lifecycle.Store // and the goroutines of the wrapper
	opts  Options
	life  lifetimes
	clock *coarseClock

	gen    atomic.Pointer[generation] // changed with the writer's mu held
	db     *database
	writer *writer
	kick   chan struct{} // wakes the monitor
	reads  readRecord
	slow   atomic.Bool // a call has not been answered for a while, and none was since

	witnesses witnesses // mode Off only

	timers     *timers // of callers who wait
	suspicions *timers // call noAnswer

	// initialized is true once the store is known to have been initialised, in the database or in memory, and marked if the
	// database had its mark when it was last looked at, so that the loss of it means something.
	initialized, marked, askedMark atomic.Bool
	notInitializedUntil            atomic.Int64       // until when the database need not be asked again; Unix ns
	asking                         singleflight.Group // one question of many whether the database is initialised

	reports *reports // of a watch of the database
	changes *broadcast.Broadcaster[core.Change]
}

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
		opts:    o,
		life:    newLifetimes(o.Mode, o.random),
		clock:   newCoarseClock(o.now),
		kick:    make(chan struct{}, 1),
		reports: newReports(min(o.Mode.timeToLive(), DefaultTTL)),
		changes: broadcast.New[core.Change](o.Logger),
	}
	w.store = lifecycle.Bound(lifecycle.New("caching", o.Logger), store, lifecycle.Limits{
		Read: o.ReadTimeout, ReadAll: o.ReadAllTimeout, Write: o.WriteTimeout, Init: o.InitTimeout,
	})
	w.timers = newTimers(func() *time.Timer { return time.NewTimer(longest) })
	w.suspicions = newTimers(func() *time.Timer { return time.AfterFunc(longest, w.noAnswer) })
	w.gen.Store(newGeneration())
	w.db = newDatabase(w.store.Context(), o.Logger)
	w.writer = newWriter(w)
	w.store.Go(w.monitor)
	w.store.Go(w.writer.run)
	w.store.Go(w.refresh)
	w.startWatching()
	return w, nil
}

// caches reports whether anything is kept in memory once the database has it.
func (w *CachingStoreWrapper) caches() bool { return w.opts.Mode.kind != modeOff }

// room reports whether one more key may be kept.
func (w *CachingStoreWrapper) room() bool {
	return w.caches() && (w.opts.Capacity == 0 || w.gen.Load().size() < w.opts.Capacity)
}

// Status implements [core.DataStoreStatusProvider].
func (w *CachingStoreWrapper) Status() core.DataStoreStatus { return w.db.now().status() }

// MonitoringEnabled implements [core.DataStoreStatusProvider]. It is always true.
func (w *CachingStoreWrapper) MonitoringEnabled() bool { return true }

// AddListener implements [core.DataStoreStatusProvider].
func (w *CachingStoreWrapper) AddListener(listener func(core.DataStoreStatus)) (remove func()) {
	return w.db.statuses.Add(listener)
}

// Close gives a healthy database up to 5 s to take an Init that waits to be written, closes the store below, ends what is in
// flight with [core.ErrClosed], and waits until nothing of the wrapper runs any more. It returns what the store's Close
// returned; a second Close returns nil.
//
// It takes at most 10 s: what a store that ignores its contexts has not ended by then is left behind and logged. If that is
// the store's Close, the error wraps [core.ErrUnavailable].
func (w *CachingStoreWrapper) Close() error {
	began := time.Now()
	w.writer.flush(lifecycle.CloseLimit / 2)
	err := w.store.CloseWithin(lifecycle.CloseLimit - time.Since(began))
	w.gen.Store(newGeneration())
	w.db.statuses.Close()
	w.changes.Close()
	return err
}
