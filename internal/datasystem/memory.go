package datasystem

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
)

// MemoryStore is the [core.FeatureStore] of a client without a database. Its data is a succession of generations, each of which
// is seen as a whole. Get takes no lock and makes no allocation.
type MemoryStore struct {
	current atomic.Pointer[generation]
	closed  atomic.Bool
	writing sync.Mutex // held from looking at the current generation until its successor takes its place
}

var _ core.FeatureStore = (*MemoryStore)(nil)

// generation is all data at one moment, and immutable.
type generation struct {
	kinds       map[core.DataKind]*items
	initialized bool
}

// NewMemoryStore makes a store that is empty and has not been initialized.
func NewMemoryStore() *MemoryStore {
	s := &MemoryStore{}
	s.current.Store(&generation{})
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

// View returns the data as it is now, which does not change. Of a store that is closed it is the store.
func (s *MemoryStore) View() core.ReadOnlyStore {
	if s.closed.Load() {
		return s
	}
	return s.current.Load()
}

// Get implements [core.FeatureStore].
func (s *MemoryStore) Get(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	if err := s.check(ctx); err != nil {
		return nil, false, err
	}
	return s.current.Load().Get(ctx, kind, key)
}

// All implements [core.FeatureStore].
func (s *MemoryStore) All(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	return s.current.Load().All(ctx, kind)
}

// Initialized implements [core.FeatureStore].
func (s *MemoryStore) Initialized(ctx context.Context) (bool, error) {
	if err := s.check(ctx); err != nil {
		return false, err
	}
	return s.current.Load().initialized, nil
}

// Init implements [core.FeatureStore].
func (s *MemoryStore) Init(ctx context.Context, data []core.Collection) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	next := &generation{kinds: map[core.DataKind]*items{}, initialized: true}
	for _, collection := range data {
		all := next.kinds[collection.Kind]
		if all == nil {
			all = &items{base: make(map[string]*core.Item, len(collection.Items))}
			next.kinds[collection.Kind] = all
		}
		for _, item := range collection.Items {
			if err := validateItem(collection.Kind, item.Key, item.Item); err != nil {
				return err
			}
			all.base[item.Key] = item.Item
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.current.Store(next)
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
	current := s.current.Load()
	old := current.kinds[kind].lookup(key)
	if old != nil && old.Version() >= item.Version() {
		return false, nil
	}
	next := current.successor()
	next.kinds[kind] = current.kinds[kind].with([]core.KeyedItem{{Key: key, Item: item}})
	s.current.Store(next)
	return true, nil
}

// ApplyPartial makes the items of a partial change set take the place of those with the same keys, whatever their versions.
func (s *MemoryStore) ApplyPartial(ctx context.Context, data []core.Collection) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	for _, collection := range data {
		for _, item := range collection.Items {
			if err := validateItem(collection.Kind, item.Key, item.Item); err != nil {
				return err
			}
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	next := s.current.Load().successor()
	next.initialized = true
	for _, collection := range data {
		next.kinds[collection.Kind] = next.kinds[collection.Kind].with(collection.Items)
	}
	s.current.Store(next)
	return nil
}

// Close implements [core.FeatureStore].
func (s *MemoryStore) Close() error {
	s.closed.Store(true)
	s.writing.Lock()
	defer s.writing.Unlock()
	s.current.Store(&generation{})
	return nil
}

// successor returns a generation that is the same, and whose kinds may be replaced.
func (g *generation) successor() *generation {
	next := &generation{kinds: maps.Clone(g.kinds), initialized: g.initialized}
	if next.kinds == nil {
		next.kinds = map[core.DataKind]*items{}
	}
	return next
}

// collections returns everything, deleted items included.
func (g *generation) collections() []core.Collection {
	data := make([]core.Collection, 0, len(g.kinds))
	for kind, items := range g.kinds {
		collection := core.Collection{Kind: kind}
		for key, item := range items.base {
			if items.changed[key] == nil {
				collection.Items = append(collection.Items, core.KeyedItem{Key: key, Item: item})
			}
		}
		for key, item := range items.changed {
			collection.Items = append(collection.Items, core.KeyedItem{Key: key, Item: item})
		}
		data = append(data, collection)
	}
	return data
}

// Get implements [core.ReadOnlyStore].
func (g *generation) Get(_ context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	item := g.kinds[kind].lookup(key)
	if item == nil || item.Deleted() {
		return nil, false, nil
	}
	return item, true, nil
}

// All implements [core.ReadOnlyStore].
func (g *generation) All(_ context.Context, kind core.DataKind) (map[string]*core.Item, error) {
	return g.kinds[kind].live(), nil
}

// Initialized implements [core.ReadOnlyStore].
func (g *generation) Initialized(context.Context) (bool, error) { return g.initialized, nil }

// items are the items of one kind: those of base but for those in changed. They are immutable; nil has none.
type items struct {
	base, changed map[string]*core.Item
	alive         atomic.Pointer[map[string]*core.Item] // what live has returned
}

// mostChanged is how many items changed has at most. Each update copies it, and each mostChanged-th one copies base.
const mostChanged = 100

// lookup returns an item, also a deleted one; nil if there is none.
func (i *items) lookup(key string) *core.Item {
	if i == nil {
		return nil
	}
	if len(i.changed) > 0 {
		if item := i.changed[key]; item != nil {
			return item
		}
	}
	return i.base[key]
}

// with returns the items with others, of which the last one with a key counts.
func (i *items) with(others []core.KeyedItem) *items {
	if i == nil {
		i = &items{}
	}
	next := &items{base: i.base, changed: make(map[string]*core.Item, len(i.changed)+len(others))}
	into := next.changed
	if len(i.changed)+len(others) > mostChanged {
		into = make(map[string]*core.Item, len(i.base)+len(i.changed)+len(others))
		maps.Copy(into, i.base)
		next = &items{base: into}
	}
	maps.Copy(into, i.changed)
	for _, other := range others {
		into[other.Key] = other.Item
	}
	return next
}

// live returns the items that are not deleted.
func (i *items) live() map[string]*core.Item {
	if i == nil {
		return map[string]*core.Item{}
	}
	if alive := i.alive.Load(); alive != nil {
		return *alive
	}
	alive := make(map[string]*core.Item, len(i.base)+len(i.changed))
	maps.Copy(alive, i.base)
	maps.Copy(alive, i.changed)
	maps.DeleteFunc(alive, func(_ string, item *core.Item) bool { return item.Deleted() })
	i.alive.Store(&alive)
	return alive
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
