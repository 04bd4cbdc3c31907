package datasystem

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v4"

	"github.com/cleatdev/cleat/core"
)

// MemoryStore is the [core.FeatureStore] of a client without a database. Get takes no lock and makes no allocation; an Init is
// seen at once and as a whole.
type MemoryStore struct {
	data    atomic.Pointer[memoryData]
	closed  atomic.Bool
	writing sync.Mutex
}

// memoryData is everything that one Init brought, and the upserts since then. The map of kinds is immutable.
type memoryData struct {
	kinds       map[core.DataKind]*memoryItems
	initialized bool
}

type memoryItems = xsync.Map[string, *core.Item]

var _ core.FeatureStore = (*MemoryStore)(nil)

// NewMemoryStore makes a store that is empty and has not been initialized.
func NewMemoryStore() *MemoryStore {
	s := &MemoryStore{}
	s.data.Store(&memoryData{})
	return s
}

func (s *MemoryStore) check(ctx context.Context) error {
	if ctx == nil {
		return fmt.Errorf("%w: the context is nil", core.ErrInvalid)
	}
	if s.closed.Load() {
		return core.ErrClosed
	}
	return nil
}

// Get implements [core.FeatureStore].
func (s *MemoryStore) Get(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	if err := s.check(ctx); err != nil {
		return nil, false, err
	}
	items := s.data.Load().kinds[kind]
	if items == nil {
		return nil, false, nil
	}
	item, found := items.Load(key)
	if !found || item.Deleted() {
		return nil, false, nil
	}
	return item, true, nil
}

// All implements [core.FeatureStore].
func (s *MemoryStore) All(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	live := map[string]*core.Item{}
	if items := s.data.Load().kinds[kind]; items != nil {
		for key, item := range items.All() {
			if !item.Deleted() {
				live[key] = item
			}
		}
	}
	return live, nil
}

// Initialized implements [core.FeatureStore].
func (s *MemoryStore) Initialized(ctx context.Context) (bool, error) {
	if err := s.check(ctx); err != nil {
		return false, err
	}
	return s.data.Load().initialized, nil
}

// Init implements [core.FeatureStore].
func (s *MemoryStore) Init(ctx context.Context, data []core.Collection) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	fresh := &memoryData{kinds: map[core.DataKind]*memoryItems{}, initialized: true}
	for _, collection := range data {
		items := fresh.kinds[collection.Kind]
		if items == nil {
			items = xsync.NewMap[string, *core.Item](xsync.WithPresize(len(collection.Items)))
			fresh.kinds[collection.Kind] = items
		}
		for _, item := range collection.Items {
			if err := validateItem(collection.Kind, item.Key, item.Item); err != nil {
				return err
			}
			items.Store(item.Key, item.Item)
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.data.Store(fresh)
	return nil
}

// Upsert implements [core.FeatureStore].
func (s *MemoryStore) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error) {
	if err := s.check(ctx); err != nil {
		return false, err
	}
	if err := validateItem(kind, key, item); err != nil {
		return false, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	items := s.itemsForWriting(kind)
	if old, found := items.Load(key); found && old.Version() >= item.Version() {
		return false, nil
	}
	items.Store(key, item)
	return true, nil
}

// itemsForWriting is called with the lock held.
func (s *MemoryStore) itemsForWriting(kind core.DataKind) *memoryItems {
	data := s.data.Load()
	if items := data.kinds[kind]; items != nil {
		return items
	}
	grown := &memoryData{kinds: map[core.DataKind]*memoryItems{}, initialized: data.initialized}
	for known, items := range data.kinds {
		grown.kinds[known] = items
	}
	items := xsync.NewMap[string, *core.Item]()
	grown.kinds[kind] = items
	s.data.Store(grown)
	return items
}

// Close implements [core.FeatureStore].
func (s *MemoryStore) Close() error {
	s.closed.Store(true)
	s.data.Store(&memoryData{})
	return nil
}

func validateItem(kind core.DataKind, key string, item *core.Item) error {
	if err := core.ValidateKey(kind, key); err != nil {
		return err
	}
	if item == nil {
		return fmt.Errorf("%w: nil item %q of kind %q", core.ErrInvalid, key, string(kind))
	}
	return nil
}
