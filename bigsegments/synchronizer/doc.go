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
// As long as the store's cursor is at one version, everything that is written belongs to the next one, and every write
// depends on the cursor. So any number of synchronisers, and of other writers that keep to that, may fill one store: what
// one of them writes late is either what another one has written, or refused because the cursor has moved. Then, and
// after a patch that does not begin where those before it end, the synchroniser polls from where the cursor is.
//
// An answer to a poll has every version that it names whole. The patches of a version are reduced to what they amount to,
// written in pieces, and the last piece moves the cursor. An event of the stream may be a part of a version only. It is
// written at once, and the cursor stays until the next version begins or a poll has confirmed the version; so what is
// lost of a version with the stream, or with the process, is polled.
//
// Patches may come in any of these forms, here as (version, previousVersion): several of one version that all name the one
// before, as (C2,C1), (C2,C1); several that bear the cursor before one that moves it, as (C1,C1), (C1,C1), (C2,C1), with C1 empty
// for an empty store; and one that moves the cursor before several of the same version, as (C2,C1), (C2,C2). If patches of one
// version contradict each other, the last one counts; that holds for one array. A version whose parts contradict each other
// in several events, or are cut differently for different pollers, is right in the end only if one writer fills the store.
//
// # Large patches
//
// A piece is of 8,192 changes at first, of more while the store is quick, up to 50,000, and of fewer after one took longer
// than [Options].StoreTimeout. Until the cursor
// moves, the synchroniser remembers which changes the store has, in about 30 bytes each, and does not write them again after
// an error. A version of any size is so completed as long as pieces are. MaxSize bounds an answer or event; an answer is
// read without keeping its text. One that is not UTF-8 is refused as a whole.
//
// A context whose row the database cannot hold is left out: the patch goes on without it, the log names it once, and the
// last error of the status says how many there are until a patch for the same segment and context succeeds. A restart
// tries again what is not complete yet.
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
