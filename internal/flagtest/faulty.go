package flagtest

import (
	"context"
	"sync"

	"github.com/cleatdev/cleat/core"
)

// Faulty is a store that can be made to fail.
type Faulty struct {
	core.FeatureStoreCore
	mu  sync.Mutex
	err error
}

// Fail makes every read and write fail with the error from now on; nil ends that.
func (s *Faulty) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *Faulty) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Init implements [core.FeatureStoreCore].
func (s *Faulty) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.FeatureStoreCore.Init(ctx, data)
}

// Get implements [core.FeatureStoreCore].
func (s *Faulty) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if err := s.fault(); err != nil {
		return core.SerializedItem{}, false, err
	}
	return s.FeatureStoreCore.Get(ctx, kind, key)
}

// GetAll implements [core.FeatureStoreCore].
func (s *Faulty) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.FeatureStoreCore.GetAll(ctx, kind)
}

// Upsert implements [core.FeatureStoreCore].
func (s *Faulty) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	if err := s.fault(); err != nil {
		return core.UpsertResult{}, err
	}
	return s.FeatureStoreCore.Upsert(ctx, kind, key, item)
}

// Initialized implements [core.FeatureStoreCore].
func (s *Faulty) Initialized(ctx context.Context) (bool, error) {
	if err := s.fault(); err != nil {
		return false, err
	}
	return s.FeatureStoreCore.Initialized(ctx)
}
