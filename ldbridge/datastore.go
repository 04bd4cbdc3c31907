package ldbridge

import (
	"context"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// DataStore configures a store for ldcomponents.PersistentDataStore of LaunchDarkly's SDK. When a client is made, open is
// called, and the store that it returns belongs to that client, which closes it; so each call of open must return a store of
// its own. Nil options mean the defaults.
//
// An error or a panic of open, and options out of range, make the SDK's MakeCustomClient fail. The context of open ends when
// open has returned, and after a minute at the latest.
func DataStore[S core.FeatureStoreCore](
	open func(context.Context) (S, error), opts *Options,
) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
	return dataStoreConfigurer{func(ctx context.Context) (core.FeatureStoreCore, Options, error) {
		options, err := newOptions(opts)
		if err != nil {
			return nil, Options{}, err
		}
		store, err := open(ctx)
		return store, options, err
	}}
}

// dataStoreConfigurer opens a data store.
type dataStoreConfigurer struct {
	open func(context.Context) (core.FeatureStoreCore, Options, error)
}

// Build implements [subsystems.ComponentConfigurer].
func (c dataStoreConfigurer) Build(client subsystems.ClientContext) (subsystems.PersistentDataStore, error) {
	g := newGroup()
	return lifecycle.Call(context.Background(), g, "opening the data store", openTimeout,
		func(ctx context.Context) (subsystems.PersistentDataStore, error) {
			store, options, err := c.open(ctx)
			if err != nil {
				return nil, err
			}
			return &dataStore{core: lifecycle.Bound(g, store, options.limits()), loggers: client.GetLogging().Loggers}, nil
		})
}

// DescribeConfiguration implements [subsystems.DiagnosticDescription].
func (c dataStoreConfigurer) DescribeConfiguration(subsystems.ClientContext) ldvalue.Value {
	return ldvalue.String(diagnosticName)
}

// diagnosticName is what the SDK's diagnostic events say of the store.
const diagnosticName = "cleat"

// dataStore is a store of cleat's as the SDK wants it.
type dataStore struct {
	core        *lifecycle.Store
	loggers     ldlog.Loggers
	initialized atomic.Bool // once seen, for good
	silent      atomic.Bool // that IsInitialized failed has been logged, and it has not succeeded since
}

var _ subsystems.PersistentDataStore = (*dataStore)(nil)

// Init implements [subsystems.PersistentDataStore].
func (s *dataStore) Init(data []ldstoretypes.SerializedCollection) error {
	collections, err := s.encodeAll(data)
	if err != nil {
		return err
	}
	if err = s.withoutItems(s.core.Init(context.Background(), collections)); err == nil {
		s.initialized.Store(true)
	}
	return err
}

// withoutItems returns nil for an error that concerns nothing but single items, which it logs: to the SDK, an error
// means that the database is away.
func (s *dataStore) withoutItems(err error) error {
	items, only := core.ItemErrors(err)
	if !only {
		return err
	}
	for _, item := range items {
		s.loggers.Errorf("ldbridge: not stored: %s", item)
	}
	return nil
}

// Get implements [subsystems.PersistentDataStore].
func (s *dataStore) Get(kind ldstoretypes.DataKind, key string) (ldstoretypes.SerializedItemDescriptor, error) {
	none := ldstoretypes.SerializedItemDescriptor{}.NotFound()
	if key == "" { // an application may ask for it, and no store can hold it
		return none, nil
	}
	name := core.DataKind(kind.GetName())
	item, found, err := s.core.Get(context.Background(), name, key)
	if err != nil || !found {
		return none, err
	}
	return decode(name, key, item), nil
}

// GetAll implements [subsystems.PersistentDataStore].
func (s *dataStore) GetAll(kind ldstoretypes.DataKind) ([]ldstoretypes.KeyedSerializedItemDescriptor, error) {
	name := core.DataKind(kind.GetName())
	items, err := s.core.GetAll(context.Background(), name)
	if err != nil {
		return nil, err
	}
	all := make([]ldstoretypes.KeyedSerializedItemDescriptor, len(items))
	for i, item := range items {
		all[i] = ldstoretypes.KeyedSerializedItemDescriptor{Key: item.Key, Item: decode(name, item.Key, item.Item)}
	}
	return all, nil
}

// Upsert implements [subsystems.PersistentDataStore].
func (s *dataStore) Upsert(kind ldstoretypes.DataKind, key string, d ldstoretypes.SerializedItemDescriptor) (bool, error) {
	item, err := encode(d)
	if err != nil {
		return false, err
	}
	result, err := s.core.Upsert(context.Background(), core.DataKind(kind.GetName()), key, stored(item))
	return err == nil && result.Written, s.withoutItems(err)
}

// IsInitialized implements [subsystems.PersistentDataStore].
func (s *dataStore) IsInitialized() bool {
	if s.initialized.Load() {
		return true
	}
	initialized, err := s.core.Initialized(context.Background())
	if err != nil { // the interface has no error, and the SDK is going to serve default values
		if !s.silent.Swap(true) {
			s.loggers.Warnf("ldbridge: whether the store is initialised cannot be read, so it counts as not: %s", err)
		}
		return false
	}
	s.silent.Store(false)
	if initialized {
		s.initialized.Store(true)
	}
	return initialized
}

// IsStoreAvailable implements [subsystems.PersistentDataStore].
func (s *dataStore) IsStoreAvailable() bool {
	return s.core.CheckAvailability(context.Background()) == nil
}

// Close implements [subsystems.PersistentDataStore].
func (s *dataStore) Close() error { return s.core.Close() }
