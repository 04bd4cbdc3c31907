// Package caching makes a [core.FeatureStore] out of any [core.FeatureStoreCore]: a [CachingStoreWrapper] answers reads
// from memory, keeps evaluation going while the database is away, tells of its status, and brings the database back up
// to date afterwards.
//
// # Promises
//
// Each has a test that bears its name.
//
//  1. Fresh reads are free: a cached Get takes no lock, makes no allocation and scales with the cores.
//
//  2. One load: any number of callers that miss the same key cause one read of the database. A caller whose context
//     ends returns at once and does not fail the others.
//
//  3. Never backwards: a read of the database that began before an upsert of the same key cannot put the older item
//     back.
//
//  4. Hot keys don't wait: a key in use is read again in the background before its time to live ends. The time is
//     wall-clock time, with jitter, and never exceeded.
//
//  5. An outage costs no latency: every call of the database has a deadline; after a failure the database is left alone
//     until an availability check succeeds, and reads are answered from what is known.
//
//  6. Recovery restores the database: in Forever mode it is rewritten from memory, if memory holds everything; in the
//     other modes the status says Stale, so that the data source sends everything again.
//
//  7. A wiped database is noticed, and treated as an outage that needs recovery: reads are answered from memory until it
//     is initialised again.
//
//  8. One bad item is one bad item: it is reported as [core.ErrCorrupt] and left out of All.
//
//  9. Changes made elsewhere arrive: if the store is a [core.Watcher], what another process writes is read at once instead
//     of when the item expires, and announced to whoever listens. The watch is a hint: lifetimes stay in force.
//
// # What an update means during an outage
//
// An Init or Upsert that could not be written returns the error, and is nevertheless what reads of this process answer
// from then on, in every mode but Off: what the data source said last beats what the database held before. Such an
// item is held until the database has caught up.
//
// # Concurrency
//
// A wrapper runs two goroutines from New to Close, one for the clock and one that sees whether the database is well, two
// more if the database is watched for changes, and further ones while it reads or writes. Close waits for all of them, but
// not for long if the store does not heed the end of its contexts.
package caching
