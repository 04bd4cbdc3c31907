// Package sqlitestore keeps flags, segments and big segments in a file, by means of SQLite. It needs no server and no C
// compiler, and is the store to take unless several machines have to share one.
//
// [Store] is a [core.FeatureStoreCore], to be wrapped by package caching; [BigSegments] is a [core.BigSegmentStore] and
// [core.BigSegmentWriter]. Any number of them, of any number of processes of one machine, may use one file at the same
// time, each under a prefix of its own or sharing one. The file must be on a local file system: network file systems
// lack the shared memory that SQLite's write-ahead log needs.
//
// # Layout
//
// The file is made for inspection with the sqlite3 shell, for example
//
//	SELECT key, version, item FROM items WHERE prefix = '' AND kind = 'features';
//
// It has three tables:
//
//   - items: one row per flag or segment, of columns prefix, kind, key, version, deleted (0 or 1), item (the JSON,
//     byte for byte as it was given) and updated_at (when the row last changed, Unix milliseconds).
//   - metadata: prefix, name, value and updated_at. The name initialized says that an Init has completed,
//     big_segments_synchronized_on when big segments were last complete (Unix milliseconds), and big_segments_cursor
//     which patch was applied last.
//   - big_segments: prefix, context_hash, relation (include or exclude) and segment_ref, a row per membership.
//
// PRAGMA application_id is 0x636c6561 ("clea") and PRAGMA user_version the version of this layout. New creates the file
// if there is none, and brings an older layout up to date in one transaction. It refuses a newer layout and a database
// of anything else with [core.ErrIncompatible], and leaves them as they are, byte for byte; so it does with a file that is
// no database.
//
// Beside the file lie, while it is in use and after a crash, its write-ahead log and shared memory, with "-wal" and
// "-shm" appended to the name. They are part of the database: do not copy, move or replace any of the three alone, and
// none of them while a store is open; the sqlite3 shell's .backup makes a copy at any time. Removing the file is the one
// thing that does no harm: a store that has it open notices, makes a new one, and is not initialised then. In a process
// that has a store open, no other code should open and close the file, because POSIX releases all locks that a process
// holds on a file with any close of it.
//
// # Durability
//
// Every change is one transaction, and after any crash, kill -9 included, the database holds it whole or not at all;
// nothing has to be repaired. What a method has reported as written survives the end of the process in every case.
//
// It does not survive a power cut or a crash of the operating system in every case: SQLite runs with
// synchronous=NORMAL, which calls fsync when the write-ahead log is copied back into the file and not at every commit,
// because that would cost milliseconds per update for data that the flag service has anyway. After a power cut the last
// transactions may be gone, the latest first, and the database is as it was before them: consistent, possibly older. The
// same holds for the cursor of big segments, which moves in one transaction with the memberships, so that a
// synchroniser continues at the right place.
//
// # Concurrency
//
// A store has one connection that writes and several that read. Readers neither wait for writers nor hold them up: they
// see the last committed state. Writers, of this process and others, take turns; a writer waits for at most
// [Options.BusyTimeout] while another process writes. [Store.Init] and [Store.ApplyChangeSet] are atomic: no reader
// sees a mixture.
//
// An operation ends soon after its context, at the latest after the statement that is running, which concerns a single
// row. Close waits for what is running.
//
// # Read-only files
//
// [Options.ReadOnly] opens a database without ever writing to it or its write-ahead log. A store without that option does
// the same, and logs a warning, if the file or its directory cannot be written. Reads then go on; every write tries again
// to open the file for writing, and is [core.ErrReadOnly] until that succeeds.
//
// # Errors
//
// Errors wrap the sentinels of package core; SQLite's own error, a *sqlite.Error with its result code, is within reach of
// errors.As.
//
//   - [core.ErrUnavailable]: another process kept the database locked, the disk is failing, the file or directory is missing
//     or cannot be opened, the file is no database. The store goes on by itself when that is over.
//   - [core.ErrReadOnly]: the file, its directory or its file system cannot be written, or is full.
//   - [core.ErrCorrupt]: the part of the file that was to be read is damaged.
//   - [core.ErrIncompatible]: the database is of something else or of a newer version of cleat.
//   - [core.ErrTooLarge]: key and JSON of an item together exceed a billion bytes, SQLite's limit.
//   - [core.ErrInvalid] and [core.ErrClosed] as everywhere.
package sqlitestore
