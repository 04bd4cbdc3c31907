// Package dynamostore keeps flags, segments and big segment memberships in Amazon DynamoDB, in the layout that
// LaunchDarkly's SDKs and Relay Proxy use, so that all of them can share a table.
//
// [Store] is a [core.FeatureStoreCore]; package caching makes a feature store of it. [BigSegments] is a
// [core.BigSegmentStore] and [core.BigSegmentWriter]. Each is made on a client of the caller's (New, NewBigSegments) or with
// one of its own (Open, OpenBigSegments), which finds credentials and region as every AWS program does. [CreateTable] makes
// a table that fits.
//
// # Layout
//
// One table with the partition key "namespace" and the sort key "key", both strings. With the prefix P, by default empty,
// N(x) is P:x, and x if P is empty:
//
//	namespace                    key             attributes
//	N(features), N(segments), …  item key        version (N), item (S): the JSON
//	N($inited)                   as namespace    none; exists once an Init has completed
//	N($changes)                  as namespace    version (N): the sequence number; item (S): {"id", "since", "changes"}
//	N(big_segments_metadata)     as namespace    synchronizedOn (N): Unix milliseconds; lastVersion (S): the last patch
//	N(big_segments_user)         context hash    included, excluded (SS): references of segments
//
// The version of an item is the attribute, not what its JSON says. An item whose version is not an integer, or whose
// JSON cannot be read, is damaged: it is returned as it is, and the next Upsert overwrites it.
//
// # Init
//
// Init is not atomic, because DynamoDB has no transaction of that size. It reads what is there, writes only what differs,
// one collection after the other with several batches of each in flight, then deletes what is left over, and sets the mark
// at the very end if it is not set. An Init of what is there already writes nothing. Batches that the server refuses or
// processes in part, because it is throttling, are sent again with growing, fully jittered delays. If it cannot finish, the
// error is a [*core.PartialInitError] and the mark is as it was.
//
// # Upserts and change sets
//
// An Upsert is one conditional PutItem, whose refusal brings the item that won; only a damaged item that looks newer takes a
// second request. ApplyChangeSet is one TransactWriteItems of at most 100 items and 4 MB. A Get sees all of it or nothing; a
// GetAll that overlaps it may see a part, because that is how isolated DynamoDB's queries are.
//
// Within its first call, a store makes sure with one small Query that the table has the right keys.
//
// # Patches of big segments
//
// A patch is one transaction for every 99 contexts, one after the other. Each is executed only if the cursor is where the
// patch begins, and the last one moves it, so that several writers, also Relay Proxy, can fill one table. A transaction that
// loses against another one is sent again; one whose answer was lost is executed once. An item has room for about 12,000
// references; contexts whose items are full are named by a [*core.BigSegmentTooLargeError].
//
// # Live changes
//
// [Store.Watch] follows a change marker, the item N($changes), which no other program reads or writes, and which is no item of a
// kind. Every Store that writes has it name the keys that it has written, all in one conditional write and at most once a second;
// each of these writes raises the sequence number. "changes" is an object {sequence number: {kind: [key, …]}} of what was written
// after the sequence number "since": the marker has at most 4 KB, and the oldest changes are dropped. "id" changes if the marker
// was made again, as it is in a table that was. The first Init of a Store makes a marker if there is none.
//
// Watch reads the marker every [Options.WatchInterval], eventually consistently. A change is seen within two seconds, half of
// them within one, by any number of processes up to the 6,000 such reads a second that one item allows. What the marker names
// is reported by name. If more was written since the last look than it names, anything may have changed, which package caching
// reads again within its budget. An outage loses nothing: what was written meanwhile is named, or there is a gap.
//
//   - Other programs, such as Relay Proxy and LaunchDarkly's SDKs, write no marker. What they change shows when cached items
//     expire, and if items are kept forever it never does. Watch says so in the log once.
//   - A process that is killed in the second after a write leaves it unnamed, so that it shows as late as that.
//   - With eventually consistent reads, what is read right after a change may be what was there before it.
//   - Changes of the mark and of big segments are not told.
//
// The marker is written by a goroutine of the Store, from its first change to Close, which writes what is pending for a second
// at most. If the marker cannot be written, nothing else fails, and it is tried again.
// docs/sizing.md says what this costs.
//
// # Limits
//
// An item may have 409,600 bytes, names and values of its attributes included, and a key 1,024 bytes. What is larger is an
// [*core.ItemError] wrapping ErrTooLarge; it stops no other item. Keys and JSON must be UTF-8, because DynamoDB's strings
// are; other bytes are an ItemError wrapping ErrInvalid.
//
// # Errors
//
// Errors wrap the sentinels of package core and keep the driver's error within reach of errors.As. They are told apart by
// their code:
//
//   - ErrUnavailable: no connection, no answer in time, throttling, a fault of the service, a table that does not exist,
//     refused or expired credentials, missing permission to read.
//   - ErrReadOnly: missing permission to write.
//   - ErrIncompatible: the table has other keys. Nothing is written to it.
//   - ErrCorrupt: an attribute of a big segment that has the wrong type. Items are returned as they are, for package caching
//     to report.
//   - ErrTooLarge: an item or key over the limit, memberships of big segments too, a change set over the limits of a transaction.
//   - ErrConflict: a write that lost against other writers again and again.
//   - ErrClosed and ErrInvalid as everywhere. The error of the caller's context is returned as it is; if its
//     deadline passes while the service refuses a request again and again, the error is that of the refusal.
//
// No error contains a secret; what the service says about a signature that it refuses is left out for that reason.
//
// Required permissions: dynamodb:GetItem and dynamodb:Query to read, dynamodb:BatchGetItem to read several items in one request, dynamodb:PutItem and dynamodb:BatchWriteItem to write,
// dynamodb:ConditionCheckItem for change sets, that and dynamodb:UpdateItem to write big segments. With
// dynamodb:DescribeTable, which is optional, the error about a table with other keys says which. CreateTable needs dynamodb:CreateTable and
// dynamodb:DescribeTable.
//
// # Retries
//
// A request that fails is sent again for half a second at most, so that an outage is seen by the caller. One that the service
// wants to be sent again, because it is throttling, has left a part of a batch, or has another transaction on the same item, is
// sent up to twelve times without progress. The pauses grow and are fully jittered, and none is begun that the deadline of the
// context would cut off. The retryer of the client, whose budget all calls share, is not used, so that an Init which is
// throttled takes nothing away from reads. A request that may have been executed although its answer was lost is repeated
// only where that changes nothing.
//
// # Concurrency
//
// Everything is safe for concurrent use, within a process and between processes. Every call ends when its context does, also
// if the server accepts connections and never answers; there are no other time-outs. Close refuses calls, and further requests
// of calls in flight.
package dynamostore
