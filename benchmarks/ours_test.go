package benchmarks

import (
	"context"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

// memory is a database in memory. Like memoryLD, it does no more than it must, so that what is measured is the wrapper and
// the client: our memorystore does more.
type memory struct {
	mu          sync.RWMutex
	kinds       map[core.DataKind]map[string]core.SerializedItem
	initialized bool
	copies      bool // whether every read returns bytes of its own, as a database does
}

var _ core.FeatureStoreCore = (*memory)(nil)

func (m *memory) Init(_ context.Context, data []core.SerializedCollection) error {
	kinds := map[core.DataKind]map[string]core.SerializedItem{}
	for _, collection := range data {
		items := make(map[string]core.SerializedItem, len(collection.Items))
		for _, it := range collection.Items {
			items[it.Key] = it.Item
		}
		kinds[collection.Kind] = items
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kinds, m.initialized = kinds, true
	return nil
}

func (m *memory) Get(_ context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	item, found := m.kinds[kind][key]
	return m.read(item), found, nil
}

func (m *memory) GetAll(_ context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	items := m.kinds[kind]
	all := make([]core.KeyedSerializedItem, 0, len(items))
	for key, item := range items {
		all = append(all, core.KeyedSerializedItem{Key: key, Item: m.read(item)})
	}
	return all, nil
}

func (m *memory) read(item core.SerializedItem) core.SerializedItem {
	if m.copies {
		item.Data = append([]byte(nil), item.Data...)
	}
	return item
}

func (m *memory) Upsert(_ context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.kinds[kind]
	if items == nil {
		items = map[string]core.SerializedItem{}
		if m.kinds == nil {
			m.kinds = map[core.DataKind]map[string]core.SerializedItem{}
		}
		m.kinds[kind] = items
	}
	if old, found := items[key]; found && old.Version >= item.Version {
		return core.UpsertResult{Item: old}, nil
	}
	items[key] = item
	return core.UpsertResult{Item: item, Written: true}, nil
}

func (m *memory) Initialized(context.Context) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.initialized, nil
}

func (m *memory) Close() error { return nil }

// wrapper is our wrapper over a database.
func wrapper(b *bench, database core.FeatureStoreCore, mode caching.Mode) *caching.CachingStoreWrapper {
	b.Helper()
	w := newWrapper(b, database, mode)
	b.cleanup(w.Close)
	return w
}

func newWrapper(b *bench, database core.FeatureStoreCore, mode caching.Mode) *caching.CachingStoreWrapper {
	b.Helper()
	w, err := caching.NewCachingStoreWrapper(database, &caching.Options{Mode: mode, Logger: quiet})
	require.NoError(b, err)
	return w
}

// longTTL is as long as the benchmark, so that nothing expires.
func longTTL() caching.Mode { return caching.TTL(time.Hour) }

// client is our client without events, on a database and with a data source, if it is given one.
func client(b *bench, database core.FeatureStoreCore, mode caching.Mode, source core.UpdateProcessorFactory) *cleat.Client {
	b.Helper()
	c, err := cleat.New(b.ctx(), cleat.Config{
		Store: database, Cache: caching.Options{Mode: mode}, Daemon: source == nil, DataSource: source,
		Events: events.Off(), Logger: quiet,
	})
	require.NoError(b, err)
	b.cleanup(c.Close)
	require.NoError(b, c.WaitFor(b.ctx(), core.DataSourceValid))
	return c
}
