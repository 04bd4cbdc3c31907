// Package redisstore keeps flags, segments and big segment memberships in Redis, in the layout that LaunchDarkly's SDKs and
// Relay Proxy use, so that all of them can share a database.
//
// [Store] is a [core.FeatureStoreCore]; package caching makes a feature store of it. [BigSegments] is a [core.BigSegmentStore] and
// [core.BigSegmentWriter]. Each is made on a client of the caller's (New, NewBigSegments) or from a URL (Open, OpenBigSegments).
//
// # Servers
//
// A store works on a single server (redis://), on the primary that Sentinels name (redis+sentinel://), and on a Redis Cluster
// (redis+cluster://), each also with TLS (rediss://, rediss+sentinel://, rediss+cluster://; Sentinels then speak TLS too). A
// rediss:// URL is TLS from the first byte: a server that does not speak it gets no password.
//
// A URL lists Sentinels or nodes to begin with; one that can be reached suffices, and the names of keys do not depend on
// them. All Sentinels are asked at once, and the first answer counts. When a primary is lost, calls return ErrUnavailable until
// another server has taken its place, which is then used; connections to one that lives on are closed when a Sentinel tells of
// it. While an old primary still takes itself for one, or is a replica already, calls may return ErrReadOnly.
//
// A Cluster puts keys into slots by their names. If the prefix has a hash tag, as "{flags}" or "app:{flags}" have, all keys of
// a store are in one slot, and everything is as on a single server. If it has none, each kind is in a slot of its own, and no
// step is atomic that concerns two: such a store reads what other programs wrote, one key at a time, and refuses every write
// with an error that wraps ErrReadOnly and names the prefix to use. A prefix is never given a hash tag that its owner did not
// write. Big segments are written under any prefix.
//
// While a slot moves to another node, everything goes on, except that an Init or a change set whose keys are at two nodes for
// the moment waits, until its context ends, for the slot to arrive.
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
//	P:$init:<id>:<kind>               hash     items of an Init that is under way; they expire
//	P:big_segments_synchronized_on    string   when the big segments were last complete, in Unix milliseconds
//	P:big_segment_include:<hash>      set      references of the segments that include the context
//	P:big_segment_exclude:<hash>      set      references of the segments that exclude the context
//	P:big_segments_cursor             string   version of the last patch that was applied
//	P:big_segments_lock               string   written with every patch, for writers that watch it; not on some Clusters
//	P:big_segments_epoch:<n>          string   number of the cursor's epoch, and the cursor; on some Clusters only
//	P:big_segments_fence:<n>          string   the epoch that last changed the slot, for each slot; on some Clusters only
//	P:$changes                        channel  what cleat wrote, as "<kind>:<item key>"; it is no key and keeps nothing
//
// Some Clusters are those under whose prefix there is no hash tag; n is a number that puts a key into its slot. The prefix is used
// as it is, also with braces in it. With Options.NoPrefix the colon is left out too: "features", "$inited".
//
// # Init
//
// Init is atomic. Items are first staged in hashes of their own, in transactions of about a megabyte,
// which keeps the server free to answer others; one script then checks that everything staged is still there, puts it in
// the place of what was stored, and sets the mark. Readers see the old set until then and the new one from then on, and the
// store never looks uninitialised. That instant is where the Init stands in the order of all writes: what an Upsert of any
// process wrote before it is replaced, what one writes after it stays. Two Inits at once do not disturb each other; the one
// whose script runs last stays. An Init needs memory for both sets, and one that the server has no room for changes nothing.
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
// [core.Watcher] tells of changes by all writers, whatever SDK or tool they use, and of keys that expire or are evicted; of a
// flush only with client tracking. It keeps a connection of its own to each primary, made as the store's client makes them,
// and uses what the server allows:
//
//   - client tracking (Redis 6 or later), by which the server tells of every write to P:features, P:segments, P:$inited and
//     the hash of every other kind that the store was asked about. It tells which kind was written and not which item.
//   - otherwise keyspace notifications, if they are switched on; the server's configuration is never changed.
//   - in any case the channel P:$changes, on which cleat's own writers tell the item, or nothing but the kind of more than 100
//     items that are written at once. Nothing else tells of writes by others if the server allows neither of the above.
//
// A message of an item explains the next notice of its kind that comes on the same connection: scripts of cleat's publish the
// message and write the item in one step, and servers send both in that order. A write by cleat is therefore reported with its
// key, and a notice that no message explains with its kind. A server tells once of all that it does within one turn of its event
// loop, so that a write by another program in the same turn as one by cleat is hidden; for that, every kind of which notices were
// explained is reported as a whole after ten minutes.
//
// Every 3 seconds the connection has to show that it still carries something, within 2 seconds. One that is lost is made again,
// after pauses that grow to 5 seconds, and followed by the report that anything may have changed. On a Cluster, it is the node that
// has the keys which is watched; which one that is, is looked at every second.
//
// # Errors
//
// Errors wrap the sentinels of package core and keep the driver's error within reach of errors.As:
//
//   - ErrUnavailable: no connection, no answer in time, no connection left in the pool, a server that is loading,
//     refused credentials, and every reply not named here.
//   - ErrReadOnly: a replica, too few replicas (min-replicas-to-write), a server that is out of memory or unable to save, a
//     user who may not write; on a Cluster, a prefix without a hash tag.
//   - ErrCorrupt: a key that has the wrong type, which is named and left as it is. Items that are no JSON are returned as
//     they are, for package caching to report.
//   - ErrTooLarge: an item over Options.MaxItemSize.
//   - ErrConflict: an upsert that lost against other writers again and again.
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
//	resetkeys ~P:* resetchannels &P:$changes -@all +client|tracking +eval +evalsha +exec +exists +get +hget
//	+hgetall +hlen +hmget +hset +multi +persist +pexpire +publish +rename +sadd +scard +set +smembers +srem +subscribe +type
//	+unlink
//
// and on a Cluster also +cluster|slots, +asking and +time, for database numbers but 0 +select. A client of the caller's may need more, as
// +command for a Cluster whose DisableRoutingPolicies is not set. A user of Sentinels needs +sentinel|get-master-addr-by-name,
// +sentinel|sentinels, +subscribe, +ping and the channels of the Sentinels.
//
// A user who may read only needs ~P:* +exists +get +hget +hgetall +hmget +smembers +multi +exec, and gets ErrReadOnly from writes.
//
// # Time
//
// A call ends with the deadline of its context, also if the server accepts connections and never answers. The driver does not watch
// for a context's cancellation while it waits for the server: what calls a store does not wait for it ([core.FeatureStoreCore]).
// Close ends what is in flight through a client of the store's own. A command that failed is repeated once, except a write, and
// dialling takes 2 s at most (dial_timeout).
//
// # Log
//
// The driver writes to a log of its own, which is one for the whole program (redis.SetLogger; standard error if that is not
// called). A client that was opened by URL gives it nothing to write when servers cannot be reached. One of the caller's does:
// that of redis.NewFailoverClient several lines a second in an outage.
//
// # Concurrency
//
// Everything is safe for concurrent use, within a process and between processes.
package redisstore
