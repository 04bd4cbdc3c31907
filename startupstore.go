package cleat

import (
	"context"
	"errors"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// startupStore is the FeatureStore of a client that must not write to its database although it has a data source: what
// is delivered stays in memory, and the database is read until the first delivery.
type startupStore struct {
	memory     *memoryStore
	persistent *caching.CachingStoreWrapper
}

var (
	_ core.FeatureStore            = (*startupStore)(nil)
	_ core.DataStoreStatusProvider = (*startupStore)(nil)
)

func (s *startupStore) current() core.ReadOnlyStore {
	if s.memory.data.Load().initialized {
		return s.memory
	}
	return s.persistent
}

func (s *startupStore) Get(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	return s.current().Get(ctx, kind, key)
}

func (s *startupStore) All(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
	return s.current().All(ctx, kind)
}

func (s *startupStore) Initialized(ctx context.Context) (bool, error) {
	return s.current().Initialized(ctx)
}

func (s *startupStore) Init(ctx context.Context, data []core.Collection) error {
	return s.memory.Init(ctx, data)
}

func (s *startupStore) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error) {
	return s.memory.Upsert(ctx, kind, key, item)
}

func (s *startupStore) Close() error { return errors.Join(s.persistent.Close(), s.memory.Close()) }

func (s *startupStore) Status() core.DataStoreStatus { return s.persistent.Status() }

func (s *startupStore) MonitoringEnabled() bool { return s.persistent.MonitoringEnabled() }

func (s *startupStore) AddListener(listener func(core.DataStoreStatus)) (remove func()) {
	return s.persistent.AddListener(listener)
}
