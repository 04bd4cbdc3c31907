package core

import "context"

// FeatureStoreCore is the part of a persistent store that an adapter for a database implements. It never caches and
// never filters: caching, decoding, availability and status are the business of package caching, which makes a
// [FeatureStore] of it.
//
// Every method is safe for concurrent use with every other, in this process and in any number of others that use the
// same database.
//
// # Time
//
// Everything in cleat that calls an adapter bounds the call: it gives it a context with a deadline, returns to its caller when
// the deadline has passed, the caller leaves or the store is closed, also if the adapter does not, and turns a panic into an
// error. So an adapter has no time-outs of its own and no goroutine per call. It passes its context on to its driver and
// returns soon after the context's deadline, and after its cancellation as far as its driver watches that. If its context has
// ended, its error is the context's as it is. A nil context is refused with [ErrInvalid].
//
// An adapter tries a request again that failed for half a second at most in all, except one that the database has asked to
// be repeated, such as a throttled one: a database that is away is the business of package caching, which writes back what was
// missed, but only if it learns of the outage.
//
// An adapter is proven with package conformance.
type FeatureStoreCore interface {
	// Init replaces all items of the built-in kinds ([BuiltInKinds]) and of every other kind in data by exactly the
	// items given, without comparing versions, and marks the store as initialised. A built-in kind that is not in data
	// ends up empty. Everything else in the database stays, big segments under the same prefix included, and so does
	// everything under any other prefix, also one that begins with the same letters ("app" and "app2", "a" and "a:b").
	//
	// Readers see the old set or the new where the database can do that. Where it cannot, the items are written in the
	// order of the collections, leftovers are deleted after that, and the mark is set at the very end; on any failure
	// the mark is left as it was and the error is a [*PartialInitError], or the context's error as it is if that ended. An
	// atomic Init that failed has changed nothing.
	//
	// An item that the database cannot hold is an [*ItemError] wrapping [ErrTooLarge]. It stops nothing else: all other
	// items are stored, the version of it that was there stays, and the error is returned once the rest is done, joined
	// with those of other such items. The store then counts as initialised.
	Init(ctx context.Context, data []SerializedCollection) error

	// Get returns the item with the given key as it is stored, tombstones included. A key that is not there is not an
	// error: found is false. What cannot be decoded is returned as it is.
	Get(ctx context.Context, kind DataKind, key string) (item SerializedItem, found bool, err error)

	// GetAll returns all items of the kind in any order, tombstones included; none is not an error. An item that cannot
	// be decoded is returned as it is and never hides the others.
	GetAll(ctx context.Context, kind DataKind) ([]KeyedSerializedItem, error)

	// Upsert writes the item if there is none with its key or the one there, tombstone or not, has a smaller version.
	// Comparing and writing is one atomic step against every other writer in every process. If what is there cannot be
	// decoded, it counts as having no version and is overwritten: that is how a damaged item heals. One that has another
	// key inside its JSON may count as such or by its version. Upsert neither looks at nor changes the mark that says whether
	// the store is initialised.
	//
	// The result says what is in the database afterwards. "Not newer" is a result and no error; everything that kept the
	// item from being compared or written is an error, used-up retries ([ErrConflict]) and oversized items
	// ([ErrTooLarge]) included.
	Upsert(ctx context.Context, kind DataKind, key string, item SerializedItem) (UpsertResult, error)

	// Initialized reports whether an Init, by this process or another one, has completed in this database under this
	// prefix. It looks at the database each time. An error is an error and never means false.
	Initialized(ctx context.Context) (bool, error)

	// Close releases what the adapter made itself, and leaves a driver's client that the caller passed in open. It waits until
	// no goroutine of the adapter is left. A second Close does nothing and returns nil; every other method returns [ErrClosed]
	// from then on. The contexts of calls in flight have ended before; a write among them may still take effect.
	Close() error
}
