package memorystore

import (
	"context"
	"errors"
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

// Options configures a [Store] and a [BigSegments]. The zero value of each field means its default.
type Options struct {
	// Prefix separates the store from others on the same database. Any string is a prefix, the empty one included, which
	// is the default; no two prefixes have anything in common, however they begin.
	Prefix string
	// MaxItemSize is the largest JSON of one item in bytes that a Store accepts; 0 or less means no limit. It stands in
	// for the limits of real databases in tests.
	MaxItemSize int
}

// Store keeps flags, segments and items of other kinds in a [Database]. It implements [core.FeatureStoreCore],
// [core.AvailabilityChecker], [core.Watcher], [core.ChangeSetApplier], [core.ItemsGetter] and [core.DiagnosticDescription], and
// is safe for concurrent use.
type Store struct {
	lifecycle
	db      *Database
	options Options
}

var (
	_ core.FeatureStoreCore      = (*Store)(nil)
	_ core.AvailabilityChecker   = (*Store)(nil)
	_ core.Watcher               = (*Store)(nil)
	_ core.ChangeSetApplier      = (*Store)(nil)
	_ core.ItemsGetter           = (*Store)(nil)
	_ core.DiagnosticDescription = (*Store)(nil)
)

// New makes a store on db, or on a database of its own if db is nil. Nil options mean the defaults.
func New(db *Database, opts *Options) *Store {
	db, options := withDefaults(db, opts)
	return &Store{lifecycle: newLifecycle(), db: db, options: options}
}

func withDefaults(db *Database, opts *Options) (*Database, Options) {
	if db == nil {
		db = new(Database)
	}
	if opts == nil {
		return db, Options{}
	}
	return db, *opts
}

// Init implements [core.FeatureStoreCore]. It is atomic.
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := s.admit(ctx); err != nil {
		return err
	}
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("memorystore: init: %w", err)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	defer s.db.tell(s.options.Prefix, core.Change{})
	return s.db.namespace(s.options.Prefix).init(data, s.tooLarge)
}

// init replaces the kinds in data and the built-in ones. An item that is too large keeps the version that was there.
func (ns *namespace) init(data []core.SerializedCollection, tooLarge sizeCheck) error {
	old := make(map[core.DataKind]map[string]core.SerializedItem)
	replace := func(kind core.DataKind, size int) {
		if _, done := old[kind]; !done {
			old[kind] = ns.items[kind]
			ns.items[kind] = make(map[string]core.SerializedItem, size)
		}
	}
	for _, kind := range core.BuiltInKinds() {
		replace(kind, 0)
	}
	var refused []error
	for _, collection := range data {
		replace(collection.Kind, len(collection.Items))
		for _, item := range collection.Items {
			if err := tooLarge(collection.Kind, item.Key, item.Item); err != nil {
				refused = append(refused, err)
				if before, found := old[collection.Kind][item.Key]; found {
					ns.put(collection.Kind, item.Key, before)
				}
				continue
			}
			ns.put(collection.Kind, item.Key, item.Item)
		}
	}
	ns.initialized = true
	return errors.Join(refused...)
}

// Get implements [core.FeatureStoreCore].
func (s *Store) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if err := s.admitKey(ctx, kind, key); err != nil {
		return core.SerializedItem{}, false, err
	}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	item, found := s.db.read(s.options.Prefix).items[kind][key]
	return item, found, nil
}

// GetAll implements [core.FeatureStoreCore].
func (s *Store) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("memorystore: %w", err)
	}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	items := s.db.read(s.options.Prefix).items[kind]
	all := make([]core.KeyedSerializedItem, 0, len(items))
	for key, item := range items {
		all = append(all, core.KeyedSerializedItem{Key: key, Item: item})
	}
	return all, nil
}

// GetItems implements [core.ItemsGetter].
func (s *Store) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	for _, key := range keys {
		if err := core.ValidateKey(kind, key); err != nil {
			return nil, fmt.Errorf("memorystore: %w", err)
		}
	}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	stored := s.db.read(s.options.Prefix).items[kind]
	items := make([]core.KeyedSerializedItem, 0, len(keys))
	for _, key := range keys {
		if item, found := stored[key]; found {
			items = append(items, core.KeyedSerializedItem{Key: key, Item: item})
		}
	}
	return items, nil
}

// Upsert implements [core.FeatureStoreCore].
func (s *Store) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	results, err := s.ApplyChangeSet(ctx, []core.KindAndKeyedItem{{Kind: kind, Key: key, Item: item}})
	if err != nil {
		return core.UpsertResult{}, err
	}
	return results[0], nil
}

// ApplyChangeSet implements [core.ChangeSetApplier]. If a key occurs several times, the changes take effect in order, and
// each result says what was there right after its change.
func (s *Store) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	for _, change := range changes {
		if err := core.ValidateKey(change.Kind, change.Key); err != nil {
			return nil, fmt.Errorf("memorystore: %w", err)
		}
		if err := s.tooLarge(change.Kind, change.Key, change.Item); err != nil {
			return nil, err
		}
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	ns := s.db.namespace(s.options.Prefix)
	results := make([]core.UpsertResult, len(changes))
	for i, change := range changes {
		results[i] = ns.upsert(change)
		if results[i].Written {
			s.db.tell(s.options.Prefix, core.Change{Kind: change.Kind, Key: change.Key})
		}
	}
	return results, nil
}

func (ns *namespace) upsert(change core.KindAndKeyedItem) core.UpsertResult {
	if before, found := ns.items[change.Kind][change.Key]; found {
		parsed, err := before.Parse(change.Kind, change.Key)
		if err == nil && parsed.Version() >= change.Item.Version {
			return core.UpsertResult{Item: before}
		}
	}
	ns.put(change.Kind, change.Key, change.Item)
	return core.UpsertResult{Item: change.Item, Written: true}
}

// Initialized implements [core.FeatureStoreCore].
func (s *Store) Initialized(ctx context.Context) (bool, error) {
	if err := s.admit(ctx); err != nil {
		return false, err
	}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	return s.db.read(s.options.Prefix).initialized, nil
}

// CheckAvailability implements [core.AvailabilityChecker]: memory is always available.
func (s *Store) CheckAvailability(ctx context.Context) error { return s.admit(ctx) }

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *Store) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.String("memory")
}

// Close implements [core.FeatureStoreCore]. The database keeps its data.
func (s *Store) Close() error { return s.close() }

func (s *Store) admitKey(ctx context.Context, kind core.DataKind, key string) error {
	if err := s.admit(ctx); err != nil {
		return err
	}
	if err := core.ValidateKey(kind, key); err != nil {
		return fmt.Errorf("memorystore: %w", err)
	}
	return nil
}

// sizeCheck returns an [*core.ItemError] if the item is too large.
type sizeCheck func(kind core.DataKind, key string, item core.SerializedItem) error

func (s *Store) tooLarge(kind core.DataKind, key string, item core.SerializedItem) error {
	limit := s.options.MaxItemSize
	if limit <= 0 || len(item.Data) <= limit {
		return nil
	}
	return &core.ItemError{
		Kind: kind, Key: key, Size: len(item.Data),
		Err: fmt.Errorf("memorystore: %w: the limit is %d bytes", core.ErrTooLarge, limit),
	}
}
