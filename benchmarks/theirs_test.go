package benchmarks

import (
	"sync"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/stretchr/testify/require"
)

// memoryLD is a database in memory behind their interface for adapters. It does no more than it must.
type memoryLD struct {
	mu          sync.RWMutex
	kinds       map[string]map[string]ldstoretypes.SerializedItemDescriptor
	initialized bool
	copies      bool // whether every read returns bytes of its own, as a database does
}

var _ subsystems.PersistentDataStore = (*memoryLD)(nil)

func (m *memoryLD) Init(data []ldstoretypes.SerializedCollection) error {
	kinds := map[string]map[string]ldstoretypes.SerializedItemDescriptor{}
	for _, collection := range data {
		items := make(map[string]ldstoretypes.SerializedItemDescriptor, len(collection.Items))
		for _, it := range collection.Items {
			items[it.Key] = it.Item
		}
		kinds[collection.Kind.GetName()] = items
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kinds, m.initialized = kinds, true
	return nil
}

func (m *memoryLD) Get(kind ldstoretypes.DataKind, key string) (ldstoretypes.SerializedItemDescriptor, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	item, found := m.kinds[kind.GetName()][key]
	if !found {
		return item.NotFound(), nil
	}
	return m.read(item), nil
}

func (m *memoryLD) GetAll(kind ldstoretypes.DataKind) ([]ldstoretypes.KeyedSerializedItemDescriptor, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	items := m.kinds[kind.GetName()]
	all := make([]ldstoretypes.KeyedSerializedItemDescriptor, 0, len(items))
	for key, item := range items {
		all = append(all, ldstoretypes.KeyedSerializedItemDescriptor{Key: key, Item: m.read(item)})
	}
	return all, nil
}

func (m *memoryLD) read(item ldstoretypes.SerializedItemDescriptor) ldstoretypes.SerializedItemDescriptor {
	if m.copies {
		item.SerializedItem = append([]byte(nil), item.SerializedItem...)
	}
	return item
}

func (m *memoryLD) Upsert(kind ldstoretypes.DataKind, key string, item ldstoretypes.SerializedItemDescriptor) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.kinds[kind.GetName()]
	if items == nil {
		items = map[string]ldstoretypes.SerializedItemDescriptor{}
		if m.kinds == nil {
			m.kinds = map[string]map[string]ldstoretypes.SerializedItemDescriptor{}
		}
		m.kinds[kind.GetName()] = items
	}
	if old, found := items[key]; found && old.Version >= item.Version {
		return false, nil
	}
	items[key] = item
	return true, nil
}

func (m *memoryLD) IsInitialized() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.initialized
}

func (m *memoryLD) IsStoreAvailable() bool { return true }

func (m *memoryLD) Close() error { return nil }

// existing is a factory, as their SDK wants it, of a database that exists already.
type existing struct{ subsystems.PersistentDataStore }

func (e existing) Build(subsystems.ClientContext) (subsystems.PersistentDataStore, error) {
	return e.PersistentDataStore, nil
}

// persistentLD configures their wrapper over a database.
func persistentLD(database subsystems.PersistentDataStore) *ldcomponents.PersistentDataStoreBuilder {
	return ldcomponents.PersistentDataStore(existing{database})
}

// deaf is told of the status of a store.
type deaf struct{}

func (deaf) UpdateStatus(interfaces.DataStoreStatus) {}

// contextLD is what their components are made with outside of a client.
func contextLD() subsystems.BasicClientContext {
	return subsystems.BasicClientContext{
		SDKKey: "sdk-key", DataStoreUpdateSink: deaf{},
		Logging: subsystems.LoggingConfiguration{Loggers: ldlog.NewDisabledLoggers()},
	}
}

// buildLD makes a component of theirs, such as an adapter.
func buildLD[T any](b *bench, factory subsystems.ComponentConfigurer[T]) T {
	b.Helper()
	component, err := factory.Build(contextLD())
	require.NoError(b, err)
	return component
}

// wrapperLD is their wrapper over a database, configured by mode.
func wrapperLD(b *bench, database subsystems.PersistentDataStore, mode func(*ldcomponents.PersistentDataStoreBuilder)) subsystems.DataStore {
	b.Helper()
	store := newWrapperLD(b, database, mode)
	b.cleanup(store.Close)
	return store
}

func newWrapperLD(b *bench, database subsystems.PersistentDataStore, mode func(*ldcomponents.PersistentDataStoreBuilder)) subsystems.DataStore {
	b.Helper()
	builder := persistentLD(database)
	mode(builder)
	return buildLD(b, builder)
}

// The modes of their wrapper. An hour is as long as the benchmark, so that nothing expires.
func ttlLD(builder *ldcomponents.PersistentDataStoreBuilder)     { builder.CacheTime(time.Hour) }
func foreverLD(builder *ldcomponents.PersistentDataStoreBuilder) { builder.CacheForever() }
func offLD(builder *ldcomponents.PersistentDataStoreBuilder)     { builder.NoCaching() }

// clientLD is their client without events.
func clientLD(
	b *bench, store subsystems.ComponentConfigurer[subsystems.DataStore], source subsystems.ComponentConfigurer[subsystems.DataSource],
) *ld.LDClient {
	b.Helper()
	client, err := ld.MakeCustomClient("sdk-key", ld.Config{
		DataStore: store, DataSource: source, Events: ldcomponents.NoEvents(), DiagnosticOptOut: true,
		Logging: ldcomponents.NoLogging(),
	}, 10*time.Second)
	require.NoError(b, err)
	b.cleanup(client.Close)
	return client
}
