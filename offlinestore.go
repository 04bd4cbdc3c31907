package cleat

import (
	"errors"

	"github.com/cleatdev/cleat/core"
)

// offlineStore is the FeatureStore of a client that is offline: it leaves its database alone until it closes it.
type offlineStore struct {
	*memoryStore
	unused core.FeatureStoreCore
}

func (s *offlineStore) Close() error { return errors.Join(s.memoryStore.Close(), s.unused.Close()) }
