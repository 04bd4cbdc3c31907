// Package redisstore keeps flags, segments and big segment memberships in Redis, in the layout that LaunchDarkly's SDKs and
// Relay Proxy use, so that all of them can share a database.
//
// [Store] is a [core.FeatureStoreCore], and so is [ClusterStore]; package caching makes a feature store of them. [BigSegments]
// is a [core.BigSegmentStore] and [core.BigSegmentWriter]. Each is made on a client of the caller's (New, NewCluster,
// NewBigSegments) or from a URL (Open, OpenCluster, OpenBigSegments).
//
// # Servers
//
// A store works on a single server (redis://), on the primary that Sentinels name (redis+sentinel://), and on a Redis Cluster
// (redis+cluster://), each also with TLS (rediss://, rediss+sentinel://, rediss+cluster://; Sentinels then speak TLS too). A
// rediss:// URL is TLS from the first byte: a server that does not speak it gets no password.
//
// A URL lists Sentinels or nodes to begin with; one that can be reached suffices, and the names of keys do not depend on
// them. A Sentinel that needs longer for an answer than an eighth of the ReadTimeout, or of a shorter dial_timeout, is passed
// over, unless the client is a caller's. When a primary is lost, calls return ErrUnavailable until another server has taken its
// place, which is then used. While an old primary still takes itself for one, or is a replica already, they may return
// ErrReadOnly.
//
// A Cluster puts keys into slots by their names. If the prefix has a hash tag, as "{flags}" or "app:{flags}" have, all keys of
// a store are in one slot, and everything is as on a single server; see [Options.HasHashTag]. If it has none, each kind is in
// a slot of its own, and no step is atomic that concerns two: [ClusterStore] is the type for that, and [Open] and [New]
// refuse such a prefix. A prefix is never given a hash tag that its owner did not write.
//
// While a slot moves to another node, everything goes on, except that an Init or a change set whose keys are at two nodes for
// the moment waits, until its time-out, for the slot to arrive.
//
// A redis:// URL that leads to a node of a Cluster gives errors that say to use redis+cluster://.
//
// # Credentials
//
// [Options].Credentials is asked for user and password whenever a connection is made, for tokens that expire, such as those
// by which AWS IAM users log in to ElastiCache: it then returns the user's name and a token that is signed for the moment, and
// conn_max_lifetime in the URL ends connections before the service does, which for ElastiCache is after 12 hours.
//
// # Layout
//
// With the prefix P, by default "launchdarkly":
//
//	P:features, P:segments, P:<kind>  hash     item key → item JSON; the version is in the JSON only
//	P:$inited                         string   exists once an Init has completed; its value is empty
//	P:$init:<id>:<kind>[:<n>]         hash     items of an Init that is under way; they expire
//	P:$init:latest:[<kind>:]<n>       string   number of the Init that began last, and of the last one per kind; they expire
//	P:big_segments_synchronized_on    string   when the big segments were last complete, in Unix milliseconds
//	P:big_segment_include:<hash>      set      references of the segments that include the context
//	P:big_segment_exclude:<hash>      set      references of the segments that exclude the context
//	P:big_segments_cursor             string   version of the last patch that was applied
//	P:big_segments_lock               string   written with every patch, for writers that watch it; not on such Clusters
//	P:big_segments_epoch:<n>          string   number of the cursor's epoch, and the cursor; on such Clusters only
//	P:big_segments_fence:<n>          string   the epoch that last changed the slot, for each slot; on such Clusters only
//	P:$changes                        channel  what cleat wrote, as "<kind>:<item key>"; it is no key and keeps nothing
//
// The prefix is used as it is, also with braces in it. On a Cluster without a hash tag, n is a number that puts staged items
// or P:$init:latest:… into the slot of their kind, or of the mark, and what concerns big segments into the slot that it is about. With Options.NoPrefix the colon is left out too: "features",
// "$inited".
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
// On a Cluster under a prefix without a hash tag, everything is staged first. Then kind by kind, in the order of the
// collections, one script puts the staged items of a kind into place and keeps the stored ones that are not among them; what
// is left over goes when all is in place, unless somebody has changed it meanwhile; the mark comes last. Readers see the old
// items of a kind or the new ones, never none. A failure is a [*core.PartialInitError], and the mark is then as it was.
//
// Of several such Inits at once, the one that began last is stored, whole. Each takes a number when it begins, which the
// scripts leave beside every kind that they write. An Init that finds a greater number there stops: it neither replaces nor
// removes anything of that kind, and returns a [*core.PartialInitError] that wraps ErrConflict. Should the later one fail
// half way, both have, and the next Init puts that right. The numbers expire a minute after the longest InitTimeout of those
// that took one. A server that evicts one fails the Init that left it there, and no longer stops an older Init from writing
// that kind. Upserts take no number and are never held up.
//
// # Upserts
//
// An upsert is one script: it compares the version with that of the stored item and writes, in one step and one round trip.
// The script may write without knowing the stored version exactly, if everything in the item that could be its version is
// smaller; whether an item stays is decided here, by [core.ParseItem], and never by the server's own JSON decoder, which
// takes some damaged items for valid and some valid ones for damaged. A damaged item whose version looks greater takes a
// second round trip. If the server has lost its scripts, the operation sends them again by itself.
//
// # Live changes
//
// [core.Watcher] tells of changes by anybody, whatever SDK or tool they use, and of keys that expire or are evicted; of a
// flush only with client tracking. It keeps a connection of its own to each primary, made as the store's client makes them,
// and uses what the server allows:
//
//   - client tracking (Redis 6 or later), by which the server tells of every write to P:features, P:segments, P:$inited and
//     the hash of every other kind that the store was asked about. It tells which kind was written and not which item.
//   - otherwise keyspace notifications, if they are switched on; the server's configuration is never changed.
//   - in any case the channel P:$changes, on which cleat's own writers tell the item, or nothing but the kind of more than 100
//     items that are written at once. Nothing else tells of writes by others if the server allows neither of the above.
//
// A write by cleat is therefore reported with its key and one by others with its kind. A write by others that the server
// handles in the same instant as one by cleat, or with notifications one that comes within milliseconds of it, cannot always
// be told from it. So the kind is reported after a write by cleat too, but later and seldom: within a minute, or within five
// seconds if others wrote to the kind in the last ten minutes.
//
// Every 3 seconds the connection has to show that it still carries something, within the ReadTimeout. One that is lost is
// made again, after pauses that grow to 5 seconds, and followed by the report that anything may have changed. Which servers
// are to be watched is looked up when one is lost and every 5 seconds: of a Cluster by asking for its slots, of Sentinels by
// connecting to the primary that they name.
//
// It costs a connection per process and primary, and the server a comparison of every key that is written, by anybody, with
// the few names above. A write by cleat has a PUBLISH in its script; on a Cluster, that message goes to all nodes. Which means
// are in use is logged, at level Info if client tracking or the channel is not among them, and at Debug otherwise. What is told
// does not depend on the database number: writes under the same prefix in another one are reported as well.
//
// For live changes, a user of an access control list needs besides what writing needs:
//
//	&P:$changes +client|tracking +subscribe +publish
//
// A user who may not publish can still write; its writes are then told as those of others are. To fall back to keyspace
// notifications takes &__keyspace@<db>__:P:*. If nothing is allowed, Watch returns an error wrapping ErrUnavailable.
//
// # Errors
//
// Errors wrap the sentinels of package core and keep the driver's error within reach of errors.As:
//
//   - ErrUnavailable: no connection, no answer in time, no connection left in the pool, a server that is loading,
//     refused credentials, and every reply not named here.
//   - ErrReadOnly: a replica, too few replicas (min-replicas-to-write), a server that is out of memory or unable to save, a
//     user who may not write.
//   - ErrCorrupt: a key that has the wrong type, which is named and left as it is. Items that are no JSON are returned as
//     they are, for package caching to report.
//   - ErrTooLarge: an item over Options.MaxItemSize.
//   - ErrConflict: an upsert that lost against other writers again and again; an Init on a Cluster without a hash tag while
//     another one began later.
//   - ErrClosed and ErrInvalid as everywhere. The error of the caller's context is returned as it is.
//
// A write whose connection breaks before the answer has come is not repeated, because it may have happened. No error
// contains a password or a URL.
//
// # Big segments on a Cluster
//
// Under a prefix without a hash tag, the sets of contexts are spread over all nodes. A membership is read by two commands at
// once, in the time of one round trip. A patch changes the sets by one script for each slot, 10,000 at a time, and then moves
// the cursor, so that one that was interrupted is applied again. No script sees both a set and the cursor. In its place, each
// slot has a fence, P:big_segments_fence:N, with the epoch of the cursor at which the last patch began that changed the slot,
// and refuses a patch that began at an earlier cursor. The number of the epoch is at P:big_segments_epoch:N, next to the
// cursor, and grows with the time of the server there. Any number of writers of this package can so fill one Cluster; other
// programs' writers must not be used beside them, because they know nothing of fences. A Cluster that promotes a replica may
// lose writes that it had acknowledged, and with them members.
//
// # Permissions
//
// On a server with an access control list, this is enough for everything, with P for the prefix:
//
//	resetkeys ~P:* resetchannels &P:$changes -@all +client|tracking +eval +evalsha +exec +exists +get +hdel +hexists +hget
//	+hgetall +hkeys +hlen +hset +multi +persist +pexpire +publish +rename +sadd +scard +set +smembers +srem +subscribe +type
//	+unlink
//
// and on a Cluster also +cluster|slots, +asking and +time, for database numbers but 0 +select. A client of the caller's may need more, as
// +command for a Cluster whose DisableRoutingPolicies is not set. A user of Sentinels needs +sentinel|get-master-addr-by-name,
// +sentinel|sentinels, +subscribe, +ping and the channels of the Sentinels.
//
// A user who may read only needs ~P:* +exists +get +hget +hgetall +smembers +multi +exec, and gets ErrReadOnly from writes.
//
// # Concurrency
//
// Everything is safe for concurrent use, within a process and between processes. Every call ends when its context does,
// when its time-out is over, or when the store is closed, also if the server accepts connections and never answers.
package redisstore
