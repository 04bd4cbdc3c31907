package datasystem

import (
	"context"
	"errors"
	"io"

	"github.com/cleatdev/cleat/core"
)

// StoreStatus returns what tells of the status of the store. A store without status counts as available.
func StoreStatus(store core.FeatureStore) core.DataStoreStatusProvider {
	if provider, ok := store.(core.DataStoreStatusProvider); ok {
		return provider
	}
	return alwaysAvailable{}
}

// View returns what one evaluation reads: the data of one moment, if the store has it so, or else the store.
func View(store core.ReadOnlyStore) core.ReadOnlyStore {
	if viewed, ok := store.(interface{ View() core.ReadOnlyStore }); ok {
		return viewed.View()
	}
	return store
}

// isInMemory reports whether what a store is given is in memory as long as it counts, and takes effect at once.
func isInMemory(store core.FeatureStore) bool {
	switch store.(type) {
	case *MemoryStore, *startupStore, *followedMemory:
		return true
	default:
		return false
	}
}

// alwaysAvailable is the status of a store in memory.
type alwaysAvailable struct{}

func (alwaysAvailable) Status() core.DataStoreStatus { return core.DataStoreStatus{Available: true} }

func (alwaysAvailable) MonitoringEnabled() bool { return false }

func (alwaysAvailable) AddListener(func(core.DataStoreStatus)) (remove func()) { return func() {} }

// offlineStore leaves its database alone until it closes it.
type offlineStore struct {
	*MemoryStore
	unused io.Closer
}

// NewOfflineStore makes the store of a client that is offline: an empty one in memory, which leaves the database alone until it
// closes it.
func NewOfflineStore(unused io.Closer) core.FeatureStore {
	return &offlineStore{MemoryStore: NewMemoryStore(), unused: unused}
}

func (s *offlineStore) Close() error { return errors.Join(s.MemoryStore.Close(), s.unused.Close()) }

// startupStore reads the database until the first Init, and memory from then on.
type startupStore struct {
	core.DataStoreStatusProvider // of persistent

	memory     *MemoryStore
	persistent core.FeatureStore
}

// NewStartupStore makes the store of a client that must not write to its database although it has a data source: what is
// delivered stays in memory, and the database, which it closes in the end, is read until the first delivery.
func NewStartupStore(persistent core.FeatureStore) core.FeatureStore {
	return &startupStore{
		DataStoreStatusProvider: StoreStatus(persistent), memory: NewMemoryStore(), persistent: persistent,
	}
}

func (s *startupStore) current() core.ReadOnlyStore {
	if s.memory.current.Load().initialized {
		return s.memory
	}
	return s.persistent
}

func (s *startupStore) View() core.ReadOnlyStore { return View(s.current()) }

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

// ApplyPartial is that of memory, which has had an Init.
func (s *startupStore) ApplyPartial(ctx context.Context, data []core.Collection) error {
	return s.memory.ApplyPartial(ctx, data)
}

func (s *startupStore) Close() error { return errors.Join(s.persistent.Close(), s.memory.Close()) }
