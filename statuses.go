package cleat

import "github.com/cleatdev/cleat/core"

// storeStatus returns what tells of the status of the store.
func storeStatus(store core.FeatureStore) core.DataStoreStatusProvider {
	if provider, ok := store.(core.DataStoreStatusProvider); ok {
		return provider
	}
	return alwaysAvailable{}
}

// alwaysAvailable is the status of a store in memory.
type alwaysAvailable struct{}

func (alwaysAvailable) Status() core.DataStoreStatus { return core.DataStoreStatus{Available: true} }

func (alwaysAvailable) MonitoringEnabled() bool { return false }

func (alwaysAvailable) AddListener(func(core.DataStoreStatus)) (remove func()) { return func() {} }

// noBigSegments is the status of big segments in a client without a store for them.
type noBigSegments struct{}

func (noBigSegments) Status() core.BigSegmentStoreStatus { return core.BigSegmentStoreStatus{} }

func (noBigSegments) AddListener(func(core.BigSegmentStoreStatus)) (remove func()) { return func() {} }
