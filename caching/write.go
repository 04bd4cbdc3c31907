package caching

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cleatdev/cleat/core"
)

// Upsert implements [core.FeatureStore]. Reads of this process return the item at once; see [CachingStoreWrapper.BeginUpsert]
// and the package documentation for what an error means.
func (w *CachingStoreWrapper) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (updated bool, err error) {
	wait, err := w.BeginUpsert(ctx, kind, key, item)
	if err != nil || wait == nil {
		return false, err
	}
	return wait(ctx)
}

// BeginUpsert is the first half of Upsert: when it returns, reads of this process return the item. The second half, wait,
// waits until the item has reached the database, and returns what Upsert returns; it is nil if what is known is as new. In mode
// Off, in which nothing but the database is read, BeginUpsert waits itself.
func (w *CachingStoreWrapper) BeginUpsert(
	ctx context.Context, kind core.DataKind, key string, item *core.Item,
) (wait func(context.Context) (updated bool, err error), err error) {
	of := core.Change{Kind: kind, Key: key}
	if err := w.checkItem(ctx, of, item); err != nil {
		return nil, err
	}
	if !w.caches() {
		updated := false
		err := w.writer.through(ctx, &attempt{do: func(ctx context.Context) error {
			result, err := w.writer.putItem(ctx, of, item)
			updated = result.Written
			w.noteChange(of, item)
			return err
		}})
		if err != nil || !updated {
			return nil, err
		}
		return func(context.Context) (bool, error) { return true, nil }, nil
	}
	t := w.writer.upsert(of, item)
	if t == nil {
		return nil, nil //nolint:nilnil // documented
	}
	return func(ctx context.Context) (bool, error) { return w.await(ctx, t) }, nil
}

// checkItem returns an error if an item cannot be written.
func (w *CachingStoreWrapper) checkItem(ctx context.Context, of core.Change, item *core.Item) error {
	if err := w.check(ctx); err != nil {
		return err
	}
	if err := core.ValidateKey(of.Kind, of.Key); err != nil {
		return fmt.Errorf("caching: %w", err)
	}
	if item == nil {
		return fmt.Errorf("caching: %w: nil item", core.ErrInvalid)
	}
	return nil
}

// noteChange notes, in mode Off, that reads that are under way are not for callers to come.
func (w *CachingStoreWrapper) noteChange(of core.Change, item *core.Item) {
	if item.Deleted() {
		w.witnesses.drop(of)
	}
	w.gen.Load().kindFor(of.Kind).noteChange(of.Key)
}

// UpsertAll upserts items, each key once, in one step of the database if the store is a [core.ChangeSetApplier], so that other
// processes read all of them or none. They are written one after the other, in their order, where the database takes not so many
// at once, has refused one of them, or has failed twice. Reads of this process return them at once, one after the other. What an
// error means is said in the package documentation; one that consists of [*core.ItemError] only says that all others are in the
// database.
func (w *CachingStoreWrapper) UpsertAll(ctx context.Context, data []core.Collection) error {
	for of, item := range changesOf(data) {
		if err := w.checkItem(ctx, of, item); err != nil {
			return err
		}
	}
	if !w.caches() {
		return w.writer.through(ctx, &attempt{do: func(ctx context.Context) error { return w.upsertAllThrough(ctx, data) }})
	}
	writes := w.writer.upsertAll(data)
	limited, cancel := context.WithTimeout(ctx, w.opts.WriteTimeout)
	defer cancel()
	var refused []error
	for _, t := range writes {
		switch _, err := w.await(limited, t); {
		case err == nil:
		case ctx.Err() == nil && limited.Err() != nil:
			return errors.Join(refused...) // the database is still at it
		case failsAll(err):
			return err
		default:
			refused = append(refused, err)
		}
	}
	return errors.Join(refused...)
}

// upsertAllThrough is UpsertAll in mode Off.
func (w *CachingStoreWrapper) upsertAllThrough(ctx context.Context, data []core.Collection) error {
	defer func() {
		for of, item := range changesOf(data) {
			w.noteChange(of, item)
		}
	}()
	var changes []core.KindAndKeyedItem
	for of, item := range changesOf(data) {
		changes = append(changes, core.KindAndKeyedItem{Kind: of.Kind, Key: of.Key, Item: item.Serialized(of.Kind, of.Key)})
	}
	if len(changes) > 1 && w.store.AppliesChangeSets() {
		if _, err := w.writer.putChangeSet(ctx, changes); err == nil || failsAll(err) && !errors.Is(err, core.ErrTooLarge) {
			return err
		}
	}
	var refused []error
	for of, item := range changesOf(data) {
		if _, err := w.writer.putItem(ctx, of, item); err != nil && failsAll(err) {
			return err
		} else if err != nil {
			refused = append(refused, err)
		}
	}
	return errors.Join(refused...)
}

// changesOf yields the items of data.
func changesOf(data []core.Collection) iter.Seq2[core.Change, *core.Item] {
	return func(yield func(core.Change, *core.Item) bool) {
		for _, collection := range data {
			for _, it := range collection.Items {
				if !yield(core.Change{Kind: collection.Kind, Key: it.Key}, it.Item) {
					return
				}
			}
		}
	}
}

// Init implements [core.FeatureStore]. Reads of this process return the data at once; see [CachingStoreWrapper.BeginInit] and
// the package documentation for what an error means. An error that consists of [*core.ItemError] only says that everything
// but those items is in the database.
func (w *CachingStoreWrapper) Init(ctx context.Context, data []core.Collection) error {
	wait, err := w.BeginInit(ctx, data)
	if err != nil {
		return err
	}
	return wait(ctx)
}

// BeginInit is the first half of Init: when it returns, reads of this process return the data. The second half, wait, waits
// until the data has reached the database, and returns what Init returns. In mode Off, BeginInit waits itself.
func (w *CachingStoreWrapper) BeginInit(ctx context.Context, data []core.Collection) (wait func(context.Context) error, err error) {
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	if !w.caches() {
		if _, err := newGeneration().successor(data); err != nil {
			return nil, fmt.Errorf("caching: %w", err)
		}
		err := w.writer.through(ctx, &attempt{whole: true, do: func(ctx context.Context) error {
			err := w.writer.putInit(ctx, data)
			if err == nil || !failsAll(err) {
				w.gen.Store(newGeneration()) // reads that are under way are not for callers to come
				w.witnesses.keep(data, w.opts.random)
			}
			return err
		}})
		if err != nil && failsAll(err) {
			return nil, err
		}
		return func(context.Context) error { return err }, nil
	}
	t, err := w.writer.init(data)
	if err != nil {
		return nil, fmt.Errorf("caching: %w", err)
	}
	return func(ctx context.Context) error {
		_, err := w.await(ctx, t)
		return err
	}, nil
}

// await waits for the end of a write. It waits no longer once the database does not answer, and for ReadTimeout at most: memory
// has what is being written, so that the database follows, or the status says that it does not.
func (w *CachingStoreWrapper) await(ctx context.Context, t *write) (updated bool, err error) {
	timer := w.timers.start(w.opts.ReadTimeout)
	defer w.timers.stop(timer)
	for {
		s := w.db.now()
		select {
		case <-t.done:
			return t.updated, t.err
		default:
		}
		if !s.answering() {
			return false, s.err()
		}
		select {
		case <-t.done:
			return t.updated, t.err
		case <-ctx.Done():
			return false, ctx.Err()
		case <-w.store.Context().Done():
			return false, core.ErrClosed
		case <-s.left:
		case <-timer.C:
			return true, nil
		}
	}
}

func serialize(data []core.Collection) []core.SerializedCollection {
	serialized := make([]core.SerializedCollection, len(data))
	for i, collection := range data {
		items := make([]core.KeyedSerializedItem, len(collection.Items))
		for j, it := range collection.Items {
			items[j] = core.KeyedSerializedItem{Key: it.Key, Item: it.Item.Serialized(collection.Kind, it.Key)}
		}
		serialized[i] = core.SerializedCollection{Kind: collection.Kind, Items: items}
	}
	return serialized
}
