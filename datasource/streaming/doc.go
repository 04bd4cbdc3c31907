// Package streaming is a data source that holds a connection to the flag service open, over which it is sent everything
// at the beginning and then each change as it is made.
//
// # Protocol
//
// The connection is a request for <base>/all, answered by server-sent events: "put" replaces everything, "patch" and
// "delete" concern one flag or segment. Other events, and updates of other kinds of data, are ignored. An event with data
// that cannot be understood is reported as [core.DataSourceErrorInvalidData]; nothing of it is used, and the connection
// is made again, because what follows might build upon it.
//
// # Errors
//
// No error is final. Whenever there is no connection, the data source is interrupted, the last data stays in use, and
// after a while it connects again. The delay begins with [Options].InitialRetryDelay and doubles up to 30 seconds; after
// an error that waiting will hardly heal, such as a refused SDK key or a certificate that cannot be trusted, it is 5
// minutes. Up to half of it is taken away at random. Once a connection has worked for a minute, past errors are
// forgotten.
//
// A connection is also given up when nothing arrives for [Options].ReadTimeout: the service sends a comment now and then
// to show that it is there. An event that is larger than [Options].MaxEventSize is refused like one that cannot be
// understood. A "retry" field, by which a service could change the delays, is ignored.
//
// A connection over which no data begins to come for 5 seconds, be it that nothing comes or only comments, is an interruption
// too, which is logged; it is kept, and all is well once the data has come.
//
// # Store
//
// When the data store turns stale, the data source connects again, so that everything is sent again. It does the same if
// a store that does not monitor itself refuses an update. The delays before that grow as after errors, until the store has
// been well for a minute.
package streaming
