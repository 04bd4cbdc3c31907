package ldbridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// DataStoreURL configures the store that a URL of package [backends] names, such as redis://host:6379?prefix=app, in the way
// of [DataStore]. The registry knows how to open it: that of package backends/all, or one of a single adapter, such as
// backends.New(redisstore.Schemes()), with which the program links no other driver. The parameters read_timeout, read_all_timeout, write_timeout and init_timeout count in place of [Options].
//
// The parameters cache, capacity, max_stale and watch are refused: the cache is the SDK's, which
// ldcomponents.PersistentDataStore configures.
func DataStoreURL(stores *backends.Registry, storeURL string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
	return dataStoreConfigurer{func(ctx context.Context) (core.FeatureStoreCore, Options, error) {
		backend, err := stores.Open(ctx, storeURL)
		if err != nil {
			return nil, Options{}, err
		}
		if configuresCache(backend.Cache) {
			refusal := fmt.Errorf("ldbridge: %w: the URL of the data store has a parameter cache, capacity, max_stale or watch; "+
				"remove it: the cache is the SDK's, and CacheTime of ldcomponents.PersistentDataStore configures it", core.ErrInvalid)
			return nil, Options{}, errors.Join(refusal, backend.Store.Close())
		}
		options := Options{
			ReadTimeout: backend.Cache.ReadTimeout, ReadAllTimeout: backend.Cache.ReadAllTimeout,
			WriteTimeout: backend.Cache.WriteTimeout, InitTimeout: backend.Cache.InitTimeout,
		}
		return backend.Store, options, nil
	}}
}

func configuresCache(o caching.Options) bool {
	return o.Mode != caching.Mode{} || o.Capacity != 0 || o.MaxStale != 0 || o.DisableWatch
}

// BigSegmentStoreURL configures the big segment store that a URL of package [backends] names, in the way of
// [BigSegmentStore]. The registry is that of [DataStoreURL]. The parameter read_timeout counts in place of [Options].
func BigSegmentStoreURL(stores *backends.Registry, storeURL string) subsystems.ComponentConfigurer[subsystems.BigSegmentStore] {
	return bigSegmentsConfigurer{func(ctx context.Context) (core.BigSegmentStore, Options, error) {
		backend, err := stores.OpenBigSegments(ctx, storeURL)
		return backend.Store, Options{ReadTimeout: backend.QueryTimeout}, err
	}}
}
