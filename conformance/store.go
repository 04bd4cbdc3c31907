package conformance

import (
	"context"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

// store is a core.FeatureStoreCore with every call guarded. It has no optional abilities; those are found on core.
type store struct {
	guard
	core core.FeatureStoreCore
}

var _ core.FeatureStoreCore = (*store)(nil)

func (s *store) Init(ctx context.Context, data []core.SerializedCollection) error {
	return s.Do("Init", func() error { return s.core.Init(ctx, data) })
}

func (s *store) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	type answer struct {
		item  core.SerializedItem
		found bool
	}
	a, err := suite.Guarded(s.guard, "Get", func() (a answer, err error) {
		a.item, a.found, err = s.core.Get(ctx, kind, key)
		return a, err
	})
	return a.item, a.found, err
}

func (s *store) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	return suite.Guarded(s.guard, "GetAll", func() ([]core.KeyedSerializedItem, error) { return s.core.GetAll(ctx, kind) })
}

func (s *store) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	return suite.Guarded(s.guard, "Upsert", func() (core.UpsertResult, error) { return s.core.Upsert(ctx, kind, key, item) })
}

func (s *store) Initialized(ctx context.Context) (bool, error) {
	return suite.Guarded(s.guard, "Initialized", func() (bool, error) { return s.core.Initialized(ctx) })
}

func (s *store) Close() error {
	return s.Do("Close", s.core.Close)
}
