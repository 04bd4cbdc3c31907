// Package consulstore keeps flags, segments and big segment memberships in the key-value store of Consul, in the layout that
// LaunchDarkly's SDKs and Relay Proxy use, so that all of them can share a database.
//
// [Store] is a [core.FeatureStoreCore]; package caching makes a feature store of it. [BigSegments] is a
// [core.BigSegmentStore] and [core.BigSegmentWriter]. Each is made on a client of the caller's (New, NewBigSegments) or with
// one of its own (Open, OpenBigSegments).
//
// # Layout
//
// With the prefix P, by default "launchdarkly":
//
//	P/features/<key>, P/segments/<key>, P/<kind>/<key>  item JSON; the version is in the JSON only
//	P/$inited                                           exists once an Init has completed; its value is empty
//
// and for big segments with a prefix P of their own, by default "cleat-big-segments":
//
//	P/big_segments_synchronized_on                      when the big segments were last complete, in Unix milliseconds
//	P/big_segments_user/<hash>                          {"included":[…],"excluded":[…]}, lists of segment references
//	P/big_segments_cursor                               version of the last patch that was applied
//
// LaunchDarkly has no layout for big segments in Consul; this one is cleat's own. The hash has '-' and '_' in the place of '+'
// and '/'. The prefix is used as it is, and with Options.NoPrefix the slash is left out too. Everything that is listed ends in
// a slash, so that "app" has nothing to do with "app2" or "application-config/database".
//
// Any valid UTF-8 is an item key. Keys that a URL cannot carry to Consul, such as those with line ends, two slashes in a row or
// a part "..", travel in the bodies of transactions, which is why their items may have no more than about 380 KB.
//
// # Neighbours
//
// LaunchDarkly's SDKs and Relay Proxy, when they fill a store in Consul, delete every key that begins with their prefix, without
// a slash in between: with the prefix "app" also "application-config/database", and all big segments that are there. Where one
// of them writes, keep everything else under prefixes that theirs cannot begin. The default prefix of big segments is such a
// one; one that begins with LaunchDarkly's default, "launchdarkly", is refused; of another prefix that a writer of
// LaunchDarkly's uses, only its operator knows. An Init of this package leaves all but its own items alone.
//
// # Init
//
// Init reads what is there and writes only what differs. If that fits in one transaction, which is 128 operations and 512 KB of
// JSON, readers see the old set or the new. Otherwise items are written in the order of the collections, in transactions packed
// by operations and by bytes, of which eight are under way at a time; then leftovers are deleted, and then the mark is set. A
// value that is too large for a transaction is sent by itself, which Consul accepts up to 512 KB. Servers with lower limits, such
// as those before Consul 1.14, which accept 64 operations, are served with smaller transactions as soon as one is refused.
//
// # Upserts
//
// An upsert is a check-and-set by modify index. The store remembers the index and version of what it wrote, so that the common
// upsert is one request; if another process has written the item since, the server notices, and the item is read and compared
// again, with pauses of random length. Versions are compared by [core.ParseItem].
//
// # Patches of big segments
//
// A patch is applied 63 contexts at a time, each of these steps in a transaction that is undone if another writer has moved the
// cursor or changed one of the contexts. The last one moves the cursor. Several writers can fill one store. A value has room for
// about 14,000 references of 25 bytes, because a transaction carries it in Base64; contexts with more are named by a
// [core.BigSegmentTooLargeError].
//
// # Reads
//
// What a read answers may be old for a moment after servers have been restarted or cut off from each other, when the one that led
// before has not yet learned that it does not any more, or a new one does not yet know all that was acknowledged.
// [ConsistencyConsistent], in a URL consistency=consistent, is the cure; it costs a round trip between servers for each read. What
// a write compares is compared by the server itself, and cannot be old.
//
// Several items at once are one request for every 64.
//
// # Live changes
//
// A Store is a [core.Watcher]: one blocking query tells within milliseconds that something under the prefix has changed, and one
// small request for each kind then tells which; see [Store.Watch]. A lost connection is restored, and noticed after thirteen
// seconds at the latest. That is so with a client of the store's own, which speaks HTTP/1.1. If a client of the caller's speaks
// HTTP/2, its transport should have an [http.HTTP2Config] with a SendPingTimeout: otherwise a connection that the network drops
// silently stays in use for about 16 minutes.
//
// # Proxies
//
// A client of the store's own follows HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as Consul's own tools do: with a plain http address, the
// proxy that HTTP_PROXY names sees every request with its token in clear. Name the servers in NO_PROXY, or use https. Addresses of
// localhost never go through a proxy.
//
// # Errors
//
// Errors wrap the sentinels of package core and keep the driver's error within reach of errors.As:
//
//   - ErrUnavailable: no connection, no leader, a token that is unknown or may not read, a limit of requests,
//     and every answer not named here.
//   - ErrReadOnly: a token that may read but not write.
//   - ErrTooLarge: an item, in a [core.ItemError], a change set, or memberships of big segments that are too large.
//     Items that are no JSON are no error here: they are returned as they are.
//   - ErrConflict: an update that lost against other writers again and again.
//   - ErrCorrupt: a membership or a time of big segments that cannot be read.
//   - ErrClosed and ErrInvalid as everywhere. The error of the caller's context is returned as it is.
//
// A write whose connection breaks before the answer has come is not repeated, because it may have happened. No error
// contains a token.
//
// A token needs no more than this policy, in which the store has the prefix app; "read" instead of "write" is enough for reading:
//
//	key_prefix "app/" { policy = "write" }
//
// Big segments need the same for their prefix.
//
// # Concurrency
//
// Everything is safe for concurrent use, within a process and between processes. Every call ends when its context does, also if
// the server accepts connections and never answers; a store sets no limits of its own, but for two seconds for each step of making
// a connection.
package consulstore
