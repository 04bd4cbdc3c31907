// Package bigsegments answers which big segments a context is in, out of a [core.BigSegmentStore], and tells of the status
// of that store. Package synchronizer, below this one, fills such a store.
//
// # Memberships
//
// [Manager.Membership] keeps what it has read for [Options].CacheTime, for at most [Options].CacheSize contexts. What is
// kept is returned without an allocation and without a lock that callers share. Any number of callers that miss the same
// context cause one query; a caller whose context ends returns at once and does not fail the others.
//
// The store is asked for at most 100 memberships at once; the manager's own queries come on top of that. A caller that finds so
// many under way waits for a turn, the last to come before the others, which may be about to give up. A lookup takes no longer than
// its context and [Options].QueryTimeout allow, waiting included. A caller that gets no turn in that time gets what a failed query
// would give, and the query is not made any more; it is no failure, though, because a store that is slow does answer. A query
// that was sent is not taken back when its callers leave; what it finds is kept.
//
// [Lookups] are those of one evaluation, which share one time-out.
//
// # A context that cannot be read
//
// A query that fails or exceeds [Options].QueryTimeout, or finds what cannot be read (core.ErrCorrupt), concerns its context
// alone: it may lie on the one node of many that was lost. The store is not asked for that context again for some time, which
// grows from a quarter of a second to 5 s; damaged data is not read again for 5 s. Meanwhile the membership that was known is
// used for [Options].ServeStaleFor after its CacheTime, with the status STALE; then, or if there was none, it is STORE_ERROR.
//
// # Status
//
// The store's metadata is read when the manager is made and then at every [Options].StatusPollInterval, and sooner if what
// was read last would turn the status stale before that, or if a query fails. What an evaluation says about it:
//
//   - HEALTHY: the store works and is up to date.
//   - STALE: the store was last up to date longer ago than [Options].StaleAfter, or never, or does not say so in a form that
//     can be understood, and its data is used; or a membership is used that was read before, because the store cannot be asked
//     for it. Clocks differ: a time up to 5 minutes in the future counts as now. One beyond is stale.
//   - STORE_ERROR: the membership is not known. It then counts as empty, so that no big segment contains the context.
//
// # Outages
//
// An outage of all begins when the metadata cannot be read within [Options].QueryTimeout. It also begins when the queries of 3
// different contexts have failed in a row and none of 16 others, of contexts that do not exist, succeeds. From then on only the
// manager itself asks the store, at growing, jittered intervals up to [Options].StatusPollInterval; lookups are answered at
// once from what is kept, and those that wait for a turn end. The outage ends as it began: when the metadata can be read
// again, or when a query succeeds. Begin and end are logged once each.
//
// During an outage, a membership is used until its CacheTime ends, and [Options].ServeStaleFor longer. When the store is back,
// and when it is up to date again after it was stale, all that is known is read again when it is next used.
//
// A Redis Cluster that lost a master goes on answering for the contexts of the others if it is configured with
// cluster-require-full-coverage no. The metadata is one key: with the master that holds it, everything is unavailable until a
// replica takes over.
//
// # A store that is wiped
//
// A store that was emptied has no metadata, and knows no context. It is STALE from the next poll on. If a context that was in
// big segments is in none any more, the metadata is read along with that; if it is gone, the store is not believed, and what
// was known is used for [Options].ServeStaleFor, with the status STALE. Without that option, all contexts are in no big segment
// once CacheTime has ended, and the status alone says why.
//
// # Changes
//
// Listeners hear of the status and of nothing else: a change of a membership announces nothing. It takes effect when CacheTime
// ends. The value listeners of a client look again when the store is back or up to date again.
//
// # Concurrency
//
// A [Manager] is safe for concurrent use. It owns its store and closes it.
package bigsegments
