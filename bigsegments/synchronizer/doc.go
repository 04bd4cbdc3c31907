// Package synchronizer fills a [core.BigSegmentWriter] from the flag service, as Relay Proxy does, so that a database has
// big segments without one.
//
// # Protocol
//
// The flag service numbers changes by versions, and the store's cursor says which is the last that it has. A synchroniser
// polls <polling>/sdk/big-segments/revisions?after=<cursor> until it gets an empty array, opens the stream
// <streaming>/big-segments, polls once more for what came in between, and marks the store as up to date. From then on it
// applies what the stream brings; and at least every [Options].RefreshInterval it polls and marks again, so that neither an
// event that was lost nor a stream that is dead unnoticed can leave the store behind for long. The mark says when the poll
// began of which the answer was empty.
//
// # Cursor
//
// A patch applies only if the store's cursor is where the patch begins. If it is elsewhere, which is so for a patch that
// was polled before the stream brought it and if somebody else fills the same store, the synchroniser polls from where the
// cursor is.
//
// Of several patches that share a version, only the last one moves the cursor; those before it are applied with a
// PreviousVersion and Version that both are the cursor as it was. A synchroniser that is killed between two of them
// therefore begins again with the first, which changes nothing that was done before, and misses none. A patch whose version
// the cursor has already reached is applied in the same way, because patches of one version may come in several events.
//
// Several synchronisers may fill one store: what one of them has applied does not apply again for the others.
//
// # Errors
//
// No error is final, and nothing is lost by one: after a while, everything begins again at the store's cursor. Requests
// that fail are repeated as by the data sources: after a delay that doubles from [Options].MinRetryDelay to
// [Options].MaxRetryDelay; after an error that waiting will hardly heal, such as a refused SDK key or an environment
// without big segments (401, 403, 404), after 5 minutes. Up to half of each delay is taken away at random. Once the
// stream has worked for a minute, past errors are forgotten, and those that called for 5 minutes as soon as it works.
// An error of the store is repeated like one of the network. Each kind of error is logged once until all is well again.
//
// # Ownership
//
// A [Synchronizer] does not close the store that it fills.
package synchronizer
