// Package redisstore keeps flags, segments and big segment memberships in Redis, in the layout that LaunchDarkly's SDKs and
// Relay Proxy use, so that all of them can share a database.
//
// [Store] is a [core.FeatureStoreCore]; package caching makes a feature store of it. [BigSegments] is a
// [core.BigSegmentStore] and [core.BigSegmentWriter]. Each is made on a client of the caller's (New, NewBigSegments) or from
// a URL (Open, OpenBigSegments).
//
// # Layout
//
// With the prefix P, by default "launchdarkly":
//
//	P:features, P:segments, P:<kind>  hash     item key → item JSON; the version is in the JSON only
//	P:$inited                         string   exists once an Init has completed; its value is empty
//	P:$init:<id>:<kind>               hash     items of an Init that is under way; they expire
//	P:big_segments_synchronized_on    string   when the big segments were last complete, in Unix milliseconds
//	P:big_segment_include:<hash>      set      references of the segments that include the context
//	P:big_segment_exclude:<hash>      set      references of the segments that exclude the context
//	P:big_segments_cursor             string   version of the last patch that was applied
//	P:big_segments_lock               string   written with every patch, for writers that watch it
//
// The prefix is used as it is. With Options.NoPrefix the colon is left out too: "features", "$inited".
//
// # Init
//
// Init is atomic on a single server. Items are first staged in hashes of their own, in transactions of about a megabyte,
// which keeps the server free to answer others; one script then checks that everything staged is still there, puts it in
// the place of what was stored, and sets the mark. Readers see the old set until then and the new one from then on, and the
// store never looks uninitialised. That instant is where the Init stands in the order of all writes: what an Upsert of any
// process wrote before it is replaced, what one writes after it stays. Two Inits at once do not disturb each other; the one
// whose script runs last stays. An Init needs memory for both sets, and one that the server has no room for changes nothing.
//
// On a Redis Cluster, all keys have to be in one slot, for which the prefix must carry a hash tag, such as "{flags}".
//
// # Upserts
//
// An upsert is one script: it compares the version with that of the stored item and writes, in one step and one round trip.
// The script may write without knowing the stored version exactly, if everything in the item that could be its version is
// smaller; whether an item stays is decided here, by [core.ParseItem], and never by the server's own JSON decoder, which
// takes some damaged items for valid and some valid ones for damaged. A damaged item whose version looks greater takes a
// second round trip. If the server has lost its scripts, the operation sends them again by itself.
//
// # Errors
//
// Errors wrap the sentinels of package core and keep the driver's error within reach of errors.As:
//
//   - ErrUnavailable: no connection, no answer in time, no connection left in the pool, a server that is loading, out of
//     memory or unable to save, refused credentials, and every reply not named here.
//   - ErrReadOnly: a replica, too few replicas (min-replicas-to-write), a user who may not write.
//   - ErrCorrupt: a key that has the wrong type, which is named and left as it is. Items that are no JSON are returned as
//     they are, for package caching to report.
//   - ErrTooLarge: an item over Options.MaxItemSize.
//   - ErrConflict: an upsert that lost against other writers again and again.
//   - ErrClosed and ErrInvalid as everywhere. The error of the caller's context is returned as it is.
//
// A write whose connection breaks before the answer has come is not repeated, because it may have happened. No error
// contains a password or a URL.
//
// A user of an access control list needs the keys P:* and the commands EVAL, EVALSHA, EXEC, EXISTS, GET, HGET, HGETALL, HLEN, HSET,
// MULTI, PERSIST, PEXPIRE, RENAME, SADD, SCARD, SET, SMEMBERS, SREM, TYPE and UNLINK.
//
// # Concurrency
//
// Everything is safe for concurrent use, within a process and between processes. Every call ends when its context does,
// when its time-out is over, or when the store is closed, also if the server accepts connections and never answers.
package redisstore
