package certification

import (
	"context"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
)

// adapter is what every adapter can do.
type adapter interface {
	core.FeatureStoreCore
	core.AvailabilityChecker
	core.ItemsGetter
	core.Watcher
	core.ChangeSetApplier
}

// counted counts the calls of a store that read or write flags. Checks and the watch are not counted.
type counted struct {
	adapter

	calls atomic.Int64
}

func (c *counted) Init(ctx context.Context, data []core.SerializedCollection) error {
	c.calls.Add(1)
	return c.adapter.Init(ctx, data)
}

func (c *counted) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	c.calls.Add(1)
	return c.adapter.Get(ctx, kind, key)
}

func (c *counted) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	c.calls.Add(1)
	return c.adapter.GetAll(ctx, kind)
}

func (c *counted) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	c.calls.Add(1)
	return c.adapter.GetItems(ctx, kind, keys)
}

func (c *counted) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	c.calls.Add(1)
	return c.adapter.Upsert(ctx, kind, key, item)
}

func (c *counted) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	c.calls.Add(1)
	return c.adapter.ApplyChangeSet(ctx, changes)
}
