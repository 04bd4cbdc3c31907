package caching

import (
	"context"
	"fmt"

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
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	if err := core.ValidateKey(kind, key); err != nil {
		return nil, fmt.Errorf("caching: %w", err)
	}
	if item == nil {
		return nil, fmt.Errorf("caching: %w: nil item", core.ErrInvalid)
	}
	if !w.caches() {
		updated := false
		err := w.writer.through(ctx, func(ctx context.Context) error {
			result, err := w.writer.putItem(ctx, core.Change{Kind: kind, Key: key}, item)
			updated = result.Written
			w.gen.Load().kindFor(kind).noteChange(key) // reads that are under way are not for callers to come
			return err
		})
		if err != nil || !updated {
			return nil, err
		}
		return func(context.Context) (bool, error) { return true, nil }, nil
	}
	t := w.writer.upsert(kind, key, item)
	if t == nil {
		return nil, nil //nolint:nilnil // documented
	}
	return func(ctx context.Context) (bool, error) { return w.await(ctx, t) }, nil
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
		err := w.writer.through(ctx, func(ctx context.Context) error {
			err := w.writer.putInit(ctx, data)
			if err == nil || !failsAll(err) {
				w.gen.Store(newGeneration()) // reads that are under way are not for callers to come
				w.db.note(tookInit, nil)
			}
			return err
		})
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
