package core

import "context"

// ReadOnlyStore is what an evaluation reads from.
type ReadOnlyStore interface {
	// Get returns the live item with the given key. A key that is unknown or deleted is not an error: found is false and
	// the item nil. An item that cannot be decoded is an [*ItemError] wrapping [ErrCorrupt].
	Get(ctx context.Context, kind DataKind, key string) (item *Item, found bool, err error)

	// All returns the live items of the kind by key, in a map that is shared and must not be changed. Items that cannot
	// be decoded are left out and reported: the error then wraps [ErrCorrupt], with an [*ItemError] for each, and the
	// map holds all the others. After any other error the map is nil.
	All(ctx context.Context, kind DataKind) (map[string]*Item, error)

	// Initialized reports whether the store has ever been filled, by this process or another one.
	Initialized(ctx context.Context) (bool, error)
}

// FeatureStore is what the client keeps its flags in: a [ReadOnlyStore] that can be written and closed. It ends the
// chain of the data flow; only a [DataSourceUpdateSink] writes to it.
//
// A FeatureStore may also be a [DataStoreStatusProvider]. One that is not counts as always available.
type FeatureStore interface {
	ReadOnlyStore

	// Init replaces everything by the given data, which is taken as current: no versions are compared. The collections
	// are in the order in which a store that is not atomic writes them, so that nothing is stored before what it refers
	// to.
	Init(ctx context.Context, data []Collection) error

	// Upsert stores the item if there is none or an older one, and reports whether it did. A tombstone ([NewTombstone]) deletes.
	Upsert(ctx context.Context, kind DataKind, key string, item *Item) (updated bool, err error)

	// Close releases the store and everything below it. Close is idempotent; all other methods return [ErrClosed] after
	// it.
	Close() error
}

// DataStoreMode says whether the client may write to its persistent store.
type DataStoreMode int

const (
	// DataStoreModeReadWrite means that what the data source delivers is written to the store. It is the default.
	DataStoreModeReadWrite DataStoreMode = iota
	// DataStoreModeReadOnly means that the client only reads; another process fills the store.
	DataStoreModeReadOnly
)

// String returns "read-write" or "read-only".
func (m DataStoreMode) String() string {
	if m == DataStoreModeReadOnly {
		return "read-only"
	}
	return "read-write"
}
