// Package cleat is a client for feature flags that keeps evaluating them when the flag service, the network or a
// database goes away. It uses the data model, the wire protocol and the database layouts of LaunchDarkly.
//
// # Use
//
// Make one [Client] per process with [New] and ask it for variations. A client that has only an SDK key streams flags from
// the flag service and delivers events to it. The rest of [Config] says what is to be different: where flags come from
// ([Config].DataSource, for example from package datasource/polling or datasource/filedata, or [Config].DataSystem with the
// second protocol of package datasource/fdv2), and where they are kept
// ([Config].Store, for example from package redisstore; in memory by default). In daemon mode ([Config].Daemon) there is no
// data source, and the client reads what other processes put into the store.
//
// # Values and reasons
//
// A variation always returns a value and never panics. It waits for the store only if the flag, or what it refers to, is not
// in memory: no longer than its context, and no longer than a few of the store's time-outs if the store is slow. If the flag
// has no value for the context, it returns the default value. The detail forms say why:
//
//   - CLIENT_NOT_READY: there is no data yet, or the client is offline or closed.
//   - FLAG_NOT_FOUND: there is no such flag.
//   - USER_NOT_SPECIFIED: the evaluation context is not valid.
//   - MALFORMED_FLAG: the flag's data cannot be decoded or makes no sense.
//   - WRONG_TYPE: the flag has a value of another type.
//   - EXCEPTION: the store could not be read, was too slow, or evaluating panicked. The log says more, at the debug level
//     what is due to the store, whose outages are reported by themselves.
//   - OFF and others that are no errors, if the flag itself says that there is no value.
//
// A client that is waiting for its data source uses what an earlier run left in the store. That there is no data source at the
// start is no error of [New] either, so that an outage keeps no application from starting; one that rather stops asks
// [Client.WaitFor].
//
// # Events
//
// Variations, [Client.Identify], [Client.Track] and its variants make events, which package events delivers in the
// background. All-flags states and flag trackers make none. [Client.Close] delivers what is buffered.
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
