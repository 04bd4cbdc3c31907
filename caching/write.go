package caching

import (
	"context"
	"errors"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

// Upsert implements [core.FeatureStore]. If the database cannot be written, the item is used by this process all the
// same, and the error says why it is not in the database; updated is then false.
func (w *CachingStoreWrapper) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (updated bool, err error) {
	if err := w.check(ctx); err != nil {
		return false, err
	}
	if err := core.ValidateKey(kind, key); err != nil {
		return false, fmt.Errorf("caching: %w", err)
	}
	if item == nil {
		return false, fmt.Errorf("caching: %w: nil item", core.ErrInvalid)
	}
	if err := w.acquireWriters(ctx, 1); err != nil {
		return false, err
	}
	w.writer.Store(true)
	return detached(ctx, &w.run, func() (bool, error) {
		return w.upsert(ctx, kind, key, item)
	}, func() { w.writers.Release(1) })
}

// acquireWriters acquires n of writers. Close ends the waiting, because whoever has them may never give them back.
func (w *CachingStoreWrapper) acquireWriters(ctx context.Context, n int64) error {
	if w.writers.TryAcquire(n) {
		return nil
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.run.ctx, cancel)()
	switch err := w.writers.Acquire(waiting, n); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return core.ErrClosed
	}
}

// upsert writes to the database and to the cache. The caller holds writers.
func (w *CachingStoreWrapper) upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error) {
	result, err := w.writeItem(ctx, kind, key, item)
	if errors.Is(err, core.ErrClosed) || errors.Is(err, core.ErrInvalid) {
		return false, err
	}
	if err != nil {
		w.remember(kind, key, item, true)
		return false, err
	}
	if result.Written {
		w.wrote.Store(true)
		w.remember(kind, key, item, false)
		return true, nil
	}
	winner, err := result.Item.Parse(kind, key)
	if err != nil {
		return false, err
	}
	w.remember(kind, key, winner, false)
	return false, nil
}

func (w *CachingStoreWrapper) writeItem(ctx context.Context, kind core.DataKind, key string, item *core.Item) (core.UpsertResult, error) {
	if o := w.health.current.Load(); o != nil {
		return core.UpsertResult{}, o.err()
	}
	return call(ctx, w, "Upsert", w.opts.WriteTimeout, func(ctx context.Context) (core.UpsertResult, error) {
		return w.core.Upsert(ctx, kind, key, item.Serialized(kind, key))
	})
}

func (w *CachingStoreWrapper) remember(kind core.DataKind, key string, item *core.Item, pinned bool) {
	if w.caches() {
		w.epoch.Load().cacheFor(kind, w.life).putWritten(key, item, w.clock.exactNow(), pinned, w.room)
	}
}

// Init implements [core.FeatureStore]. If the database cannot be written, the data is used by this process all the
// same, and the error says why it is not in the database. An error that consists of [*core.ItemError] only says that
// everything but those items is there.
func (w *CachingStoreWrapper) Init(ctx context.Context, data []core.Collection) error {
	if err := w.check(ctx); err != nil {
		return err
	}
	serialized, err := serialize(data)
	if err != nil {
		return fmt.Errorf("caching: %w", err)
	}
	if err := w.acquireWriters(ctx, allWriters); err != nil {
		return err
	}
	w.writer.Store(true)
	_, err = detached(ctx, &w.run, func() (struct{}, error) {
		return struct{}{}, w.init(ctx, data, serialized)
	}, func() { w.writers.Release(allWriters) })
	return err
}

// init writes to the database and to the cache. The caller holds all of writers.
func (w *CachingStoreWrapper) init(ctx context.Context, data []core.Collection, serialized []core.SerializedCollection) error {
	var err error
	if o := w.health.current.Load(); o != nil {
		err = o.err()
	} else {
		err = w.writeAll(ctx, serialized)
	}
	if errors.Is(err, core.ErrClosed) || errors.Is(err, core.ErrInvalid) {
		return err
	}
	stored := w.replaceAll(data, err)
	if stored {
		w.noteInitialized()
		w.health.emptied.Store(nil)
		w.health.refreshed()
	}
	if stored || w.caches() {
		w.initialized.Store(true)
	}
	return err
}

func (w *CachingStoreWrapper) writeAll(ctx context.Context, data []core.SerializedCollection) error {
	_, err := call(ctx, w, "Init", w.opts.InitTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.core.Init(ctx, data)
	})
	if err == nil {
		w.wrote.Store(true)
	}
	return err
}

// replaceAll puts data in place of everything that is cached. It reports whether the database has it too, going by the
// error of writing it there; single items that are not there are pinned, and all of them if nothing is.
func (w *CachingStoreWrapper) replaceAll(data []core.Collection, err error) (stored bool) {
	refused, only := core.ItemErrors(err)
	stored = err == nil || only
	if !w.caches() {
		return stored
	}
	items := make(map[core.DataKind][]core.KeyedItem, len(data))
	for _, collection := range data {
		items[collection.Kind] = append(items[collection.Kind], collection.Items...)
	}
	pinned := func(kind core.DataKind, key string) bool {
		if !stored {
			return true
		}
		for _, item := range refused {
			if item.Kind == kind && item.Key == key {
				return true
			}
		}
		return false
	}
	w.epoch.Store(w.epoch.Load().successor(items, w.life, w.clock.exactNow(), stored, pinned))
	return stored
}

func serialize(data []core.Collection) ([]core.SerializedCollection, error) {
	serialized := make([]core.SerializedCollection, len(data))
	for i, collection := range data {
		items := make([]core.KeyedSerializedItem, len(collection.Items))
		for j, it := range collection.Items {
			if it.Item == nil {
				return nil, fmt.Errorf("%w: nil item %q of kind %q", core.ErrInvalid, it.Key, string(collection.Kind))
			}
			items[j] = core.KeyedSerializedItem{Key: it.Key, Item: it.Item.Serialized(collection.Kind, it.Key)}
		}
		serialized[i] = core.SerializedCollection{Kind: collection.Kind, Items: items}
	}
	return serialized, core.ValidateInit(serialized)
}

// Initialized implements [core.ReadOnlyStore]. Once true it stays true, also when the database is wiped: what this
// process knows stays usable.
func (w *CachingStoreWrapper) Initialized(ctx context.Context) (bool, error) {
	if err := w.check(ctx); err != nil {
		return false, err
	}
	if w.caches() && w.initialized.Load() {
		return true, nil
	}
	if w.caches() && w.clock.now() < w.notInitializedUntil.Load() {
		return false, nil
	}
	if o := w.health.unreadable(); o != nil {
		return false, o.err()
	}
	initialized, err := w.await(ctx, &w.asking, "", func() (any, error) { return w.askInitialized(ctx) })
	if err != nil {
		return false, err
	}
	return initialized.(bool), nil
}

// askInitialized asks the database, and remembers the answer.
func (w *CachingStoreWrapper) askInitialized(ctx context.Context) (bool, error) {
	initialized, err := call(ctx, w, "Initialized", w.opts.ReadTimeout, w.core.Initialized)
	if err != nil {
		return false, err
	}
	if initialized {
		w.initialized.Store(true)
		w.noteInitialized()
		if w.health.emptied.Swap(nil) != nil {
			w.unseen.add(core.Change{})
		}
	} else {
		w.notInitializedUntil.Store(w.life.fromNotInitialized(w.clock.exactNow()))
	}
	return initialized, nil
}

// noteInitialized remembers that the database was initialised, so that the loss of that mark means something.
func (w *CachingStoreWrapper) noteInitialized() { w.databaseInitialized.Store(!w.opts.AcceptWipe) }
