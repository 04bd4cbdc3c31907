// Package core holds the contracts that the parts of cleat agree on, and the value types that cross them. It performs
// no I/O and starts no goroutine.
//
// # Stores
//
// A [FeatureStore] is what the client reads flags and segments from. An adapter for a database implements the smaller
// [FeatureStoreCore] instead, which neither caches nor filters, and package caching makes a FeatureStore out of it.
// What an adapter can do beyond that, it says by implementing one of the one-method interfaces [AvailabilityChecker],
// [Watcher], [ChangeSetApplier] and [DiagnosticDescription]; each says what happens when it is absent. A decorator of a
// FeatureStoreCore has to pass these on.
//
// A [BigSegmentStore] answers which big segments a context belongs to, and a [BigSegmentWriter] fills it.
//
// # Data
//
// An [Item] is one version of one flag or segment, as JSON and, once it was asked for, decoded. A [DataKind] names
// the collection it belongs to. The set of kinds is open; [Flags] and [Segments] are the two that the evaluator knows.
// Every item carries a version, and a deleted item is a tombstone, an item that has a version and nothing else:
// updates may arrive out of order, and versions are what puts them right.
//
// # Way of the data, way of the status
//
// Data flows from an [UpdateProcessor] through the [DataSourceUpdateSink] into the FeatureStore and from there to the
// evaluator. Status flows the other way: an error of the database becomes a [DataStoreStatus], which tells listeners,
// and tells the UpdateProcessor when everything has to be sent again.
//
// # Listeners
//
// Every listener is called with one status or change at a time, in the order in which they came about, on a goroutine of its
// own, so that a slow listener delays no other. A status that equals the one before is not announced. Listeners may be added and
// removed at any time, also by a listener; adding a function twice calls it twice. After remove has returned, no further call
// begins. Calling remove again has no effect.
//
// # Errors
//
// Errors that a caller may want to tell apart wrap one of the sentinels ErrUnavailable, ErrTooLarge, ErrCorrupt,
// ErrConflict, ErrReadOnly, ErrInvalid and ErrClosed, and keep the driver's own error within reach of errors.As. An
// Init that stopped half way returns a [*PartialInitError]. The error of a context that has ended is returned as it is,
// so that err == ctx.Err() holds. Nothing is ever decided on an error's message.
//
// # Concurrency
//
// Every implementation of every interface in this package is safe for concurrent use by any number of goroutines,
// unless its documentation says otherwise. Values that cross these interfaces (items, byte slices, maps, memberships)
// are shared, not copied: neither side may change them afterwards.
package core
