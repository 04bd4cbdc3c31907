// Package endtoend proves an adapter through the whole client: that what a data source delivers, what other processes
// write into the same database, and what an outage or the end of a process leaves there is what flags evaluate to, in
// every mode of the cache.
//
// It is for those who have written a core.FeatureStoreCore and whose adapter passes package conformance: that one shows
// that each promise of the contracts is kept by itself, this one that they make a client that is right.
//
// # How to run it
//
// The harness is that of package conformance, so that an adapter that has one needs a single test more:
//
//	func TestStore_EndToEnd(t *testing.T) {
//		endtoend.Run(t, endtoend.Harness{Harness: harness(t)})
//	}
//
// [Harness].ReadBigSegments is worth adding if the adapter keeps big segments: without it, they are read with the adapter
// itself. As in package conformance, every subtest has a random prefix of its own, Wipe empties the whole database, and
// subtests run one after the other; suites on different databases may run at the same time.
//
// # What is checked
//
// After each step of a subtest, the items are read with the bare driver and compared byte by byte with the suite's own
// account of what should be there, and every flag is evaluated, by itself and by AllFlagsState, and compared with what the
// evaluation engine says of that account. The flag at the end of the chain has two prerequisites, one of which asks for a
// segment that asks for another one, so that an evaluation needs five items.
//
// Subtests are named after the mode, the subject and the promise, such as TTL/Versions/OlderUpdatesAreRefused. The subjects
// are:
//
//   - Versions: updates that are out of date, repeated, deletions, re-creation, and Inits, also in random sequences.
//   - Sharing: a second client with a data source, one that only reads (daemon mode), edits with the bare driver, and damaged
//     items.
//   - FlagTracker: that exactly what the database took is announced, for all flags that depend on it, and in modes with a
//     watch also what others wrote.
//   - Outage: a link between client and store is cut and mended; the client goes on, and afterwards the database has
//     everything. The database is emptied under a running client.
//   - Start: on an empty and on a filled store, with and without a data source that delivers, and read-only.
//   - Whole: that items from files and test sources, and deletions, get into the database with every property, because readers
//     in other languages fail without; and that the client understands a tombstone of any shape.
//   - Interruption: a process ends in the middle of an Init, the first one or one that replaces what is there. What is left
//     must be one of both sets if Init is atomic; otherwise nothing may refer to what is not there, leftovers go last, and a
//     store that was not filled before does not say that it is. Then a new client uses it and completes it.
//   - ChangeSet, if the adapter declares that it is a core.ChangeSetApplier: with the second protocol, other processes see all of a
//     change set or nothing.
//   - BigSegments: membership, also after updates of the segment, and data that is out of date.
//
// [RunRecovery] is for stores on a network, and takes the harness of conformance.RunFaults: a TCP proxy fails between a client with
// the second protocol and a real server, and afterwards the database has exactly what the client's memory has.
//
// # Modes
//
// Off, TTL and Forever are those of package caching, without a watch. If the adapter declares that it is a core.Watcher,
// OffWatched, TTLWatched and ForeverWatched show in addition that changes by others arrive through the watch: the lifetime of
// cached items is then an hour.
//
// # Failures
//
// A failure names the item or flag, what is there and what should be. A random sequence comes from a fixed seed, which a
// failure names together with the step. With -short, everything is smaller.
package endtoend
