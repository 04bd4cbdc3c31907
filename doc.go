// Package cleat is a client for feature flags that keeps evaluating them when the flag service, the network or a
// database goes away. It uses the data model, the wire protocol and the database layouts of LaunchDarkly.
//
// # Use
//
// Make one [Client] per process with [New] and ask it for variations. The [Config] says where flags come from
// ([Config].DataSource, for example from package datasource/filedata) and where they are kept ([Config].Store, for
// example from package sqlitestore; in memory by default). With a store and no data source, the client is in daemon
// mode: it reads what other processes put there.
//
// # Values and reasons
//
// A variation always returns a value, never panics, and never waits longer than its context or the store's time-out. If
// the flag has no value for the context, it returns the default value. The detail forms say why:
//
//   - CLIENT_NOT_READY: there is no data yet, or the client is offline or closed.
//   - FLAG_NOT_FOUND: there is no such flag.
//   - USER_NOT_SPECIFIED: the evaluation context is not valid.
//   - MALFORMED_FLAG: the flag's data cannot be decoded or makes no sense.
//   - WRONG_TYPE: the flag has a value of another type.
//   - EXCEPTION: the store could not be read, or evaluating panicked. The log says more.
//   - OFF and others that are no errors, if the flag itself says that there is no value.
//
// A client that is waiting for its data source uses what an earlier run left in the store.
//
// # Errors
//
// An outage of the store or of the data source is no error of an evaluation as long as the flags are known. It shows in
// [Client.DataStoreStatus] and [Client.DataSourceStatus].
//
// # Concurrency
//
// All methods are safe for concurrent use. A variation of a flag that is in memory takes no lock that all goroutines
// share, and that of a bool makes no allocation. Listeners are called one value at a time, in order, on goroutines of
// their own, and cannot block the client.
package cleat
