// Package bigsegments answers which big segments a context is in, out of a [core.BigSegmentStore], and tells of the status
// of that store. Package synchronizer, below this one, fills such a store.
//
// # Memberships
//
// [Manager.Membership] keeps what it has read for [Options].CacheTime, for at most [Options].CacheSize contexts. What is
// kept is returned without an allocation and without a lock that callers share. Any number of callers that miss the same
// context cause one query; a caller whose context ends returns at once and does not fail the others.
//
// The store is asked for at most 100 memberships at once; the manager's own queries come on top of that. Who finds so many
// under way waits for a turn, the last to come before the others, who may be about to give up. A lookup takes no longer than
// its context and [Options].QueryTimeout allow, waiting included. Whoever gets no turn in that time gets what a failed query
// would give, and the query is not made any more; it is no outage, though, because a store that is slow does answer. A query
// that was sent is not taken back when its callers leave; what it finds is kept.
//
// # Status
//
// The store's metadata is read when the manager is made and then at every [Options].StatusPollInterval, and sooner if what
// was read last would turn the status stale before that. What an evaluation says about it:
//
//   - HEALTHY: the store works and is up to date.
//   - STALE: the store was last up to date longer ago than [Options].StaleAfter, or never, and its data is used; or the
//     store is not available and a membership is used that was read before. A time in the future is not stale: clocks
//     differ.
//   - STORE_ERROR: the membership is not known. It then counts as empty, so that no big segment contains the context.
//
// # Outages
//
// An outage begins with the first query that fails or exceeds [Options].QueryTimeout, be it for metadata or for a
// membership; lookups that wait for a turn then end. From then on only the manager itself asks the store, at growing, jittered intervals up to
// [Options].StatusPollInterval, and repeats the query that failed; lookups are answered at once from what is kept.
// Begin and end of an outage are logged once each.
//
// During an outage, a membership is used until its CacheTime ends, and [Options].ServeStaleFor longer.
//
// An error that concerns one membership alone (core.ErrCorrupt) begins no outage. It is remembered for some seconds, in
// which the store is not asked for that context again.
//
// # Concurrency
//
// A [Manager] is safe for concurrent use. It owns its store and closes it.
package bigsegments
