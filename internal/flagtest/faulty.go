package flagtest

import (
	"context"
	"sync"

	"github.com/cleatdev/cleat/core"
)

// Store is a store with the abilities that a [Faulty] one has.
type Store interface {
	core.FeatureStoreCore
	core.ItemsGetter
	core.ChangeSetApplier
	core.Watcher
}

// Faulty is a store that can be made to fail. Its watch never fails.
type Faulty struct {
	Store

	mu    sync.Mutex // guards what follows
	fault Fault
}

// Fault is asked before each operation, which it may delay, and returns an error if the operation fails.
type Fault func(ctx context.Context, operation string) error

// Hang is the fault of a database that does not answer.
func Hang(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// Fail makes every operation fail with the error from now on; nil ends that.
func (s *Faulty) Fail(err error) {
	s.Set(func(context.Context, string) error { return err })
}

// Set gives the store another fault; nil ends the one it has.
func (s *Faulty) Set(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *Faulty) begin(ctx context.Context, operation string) error {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(ctx, operation)
}

// Init implements [core.FeatureStoreCore].
func (s *Faulty) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := s.begin(ctx, "Init"); err != nil {
		return err
	}
	return s.Store.Init(ctx, data)
}

// Get implements [core.FeatureStoreCore].
func (s *Faulty) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if err := s.begin(ctx, "Get"); err != nil {
		return core.SerializedItem{}, false, err
	}
	return s.Store.Get(ctx, kind, key)
}

// GetItems implements [core.ItemsGetter].
func (s *Faulty) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	if err := s.begin(ctx, "GetItems"); err != nil {
		return nil, err
	}
	return s.Store.GetItems(ctx, kind, keys)
}

// GetAll implements [core.FeatureStoreCore].
func (s *Faulty) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := s.begin(ctx, "GetAll"); err != nil {
		return nil, err
	}
	return s.Store.GetAll(ctx, kind)
}

// Upsert implements [core.FeatureStoreCore].
func (s *Faulty) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	if err := s.begin(ctx, "Upsert"); err != nil {
		return core.UpsertResult{}, err
	}
	return s.Store.Upsert(ctx, kind, key, item)
}

// ApplyChangeSet implements [core.ChangeSetApplier].
func (s *Faulty) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	if err := s.begin(ctx, "ApplyChangeSet"); err != nil {
		return nil, err
	}
	return s.Store.ApplyChangeSet(ctx, changes)
}

// Initialized implements [core.FeatureStoreCore].
func (s *Faulty) Initialized(ctx context.Context) (bool, error) {
	if err := s.begin(ctx, "Initialized"); err != nil {
		return false, err
	}
	return s.Store.Initialized(ctx)
}

// CheckAvailability implements [core.AvailabilityChecker].
func (s *Faulty) CheckAvailability(ctx context.Context) error {
	return s.begin(ctx, "CheckAvailability")
}
