// Package memorystore keeps flags and big segments in the memory of the process. It is the reference implementation of
// [core.FeatureStoreCore], [core.BigSegmentStore] and [core.BigSegmentWriter], and what tests use where the kind of
// database does not matter.
//
// # Database and stores
//
// A [Database] takes the place of a server: it outlives the stores on it, and any number of [Store] and [BigSegments]
// values, each under its own prefix or sharing one, see each other's writes as processes that share a server do.
// [Database.WriteRaw], [Database.ReadRaw], [Database.DeleteRaw] and [Database.Wipe] go around the stores, as an
// operator's shell would.
//
// # Guarantees
//
// Every operation is atomic, Init and change sets included. Versions are read from the JSON and from what the writer
// said; nothing is encoded, decoded or copied otherwise. No goroutine is started. Data is gone when the process ends.
//
// # Errors
//
// There is no server that could be away, so only [core.ErrInvalid], [core.ErrClosed], [core.ErrTooLarge] (if a limit was
// set) and the errors of contexts occur.
package memorystore
