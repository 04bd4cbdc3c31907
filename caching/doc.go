// Package caching makes a [core.FeatureStore] out of any [core.FeatureStoreCore]: a [CachingStoreWrapper] answers reads
// from memory, keeps evaluation going while the database is away, tells of its status, and brings the database back up
// to date afterwards.
//
// # Promises
//
// Each has tests that bear its number. Mode Off keeps nothing, and has 2, 5, 8, 9 and 10; of 7, it notices a loss, and asks the data
// source for everything.
//
//  1. Fresh reads are free: a cached Get takes no lock, makes no allocation and scales with the cores.
//
//  2. One load: any number of callers that miss the same key cause one read of the database. A caller whose context
//     ends returns at once and does not fail the others.
//
//  3. Never backwards: what this process has seen of a key is not replaced by something older because reads, writes, reports
//     and outages arrive in another order than they began.
//
//  4. Known beats waiting: a value that is known is waited for no longer than 50 ms, and a key in use is read again in the
//     background before its time to live ends. The time is wall-clock time, with jitter.
//
//  5. An outage costs no latency: every call of the database has a deadline. One failed call is one failed call; an outage
//     begins when checks fail too. Then only the checks ask the database, until they succeed, and reads are answered from what
//     is known. What expired meanwhile is read again over a time to live, or [DefaultTTL] if that is less, and not at once by
//     all processes.
//
//  6. Delivered data is visible at once: memory has it first, and the database follows, now or when it is back. It gets
//     everything that an Init of this process brought, or single updates, but never a part for the whole.
//
//  7. A wiped database is noticed, be it that its mark is gone or that known items are gone together, and not believed: reads
//     are answered from memory, and a process whose data source brought everything writes it again.
//
//  8. One bad item is one bad item: it is reported as [core.ErrCorrupt] and left out of All.
//
//  9. Changes made elsewhere arrive: if the store is a [core.Watcher], what another process writes is read and announced soon,
//     small changes at once and large ones after a random time. All that is read because of reports is at most everything in
//     use once in [DefaultTTL], or in the time to live if that is less, and 64 KB a second of items that a report names. The
//     watch is a hint: lifetimes stay in force.
//
//  10. The status tells the truth once: it changes when the state does and not with every call that fails.
//
// # What an update means
//
// Init and Upsert change memory at once, in every mode but Off, and then wait for the database: until it has answered, or is known
// not to answer, and for Options.ReadTimeout at most. An error says that the database has not got the update yet. Reads of this
// process return it all the same, and the database gets it later. A nil error after ReadTimeout says that the database is still
// at it; if it fails, the status tells. What a data source said last so beats what the database holds, except for single updates
// of which the database has a newer version, which takes their place.
//
// # The state of the database
//
// There is one state, which one goroutine finds out: healthy; read-only, which answers and does not take what is written; down;
// wiped; and closed, by another owner, which is final. The status is derived from it: Available means healthy, and Stale that
// the database lacks something that only the data source can send again.
//
// # Concurrency
//
// A wrapper runs three goroutines from New to Close, one that finds out how the database is, one that writes, and one that keeps
// what is in use fresh; one more if the database is watched for changes; and one for each call of the store. Close waits for all
// of them, but not for long if the store ignores the end of its contexts.
package caching
