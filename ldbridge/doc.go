// Package ldbridge puts cleat's stores under LaunchDarkly's own Go SDK, github.com/launchdarkly/go-server-sdk/v7, as its
// persistent data store and its big segment store. It is a module of its own, because nothing else that a user of cleat
// imports may need that SDK.
//
// # Use
//
// An application of that SDK changes its stores in four lines, the imports of this package and of backends/all, and these:
//
//	config.DataStore = ldcomponents.PersistentDataStore(ldbridge.DataStoreURL(all.Registry(), "redis://host:6379?prefix=app"))
//	config.BigSegments = ldcomponents.BigSegments(ldbridge.BigSegmentStoreURL(all.Registry(), "redis://host:6379?prefix=app"))
//
// all.Registry() has all stores and links the drivers of all databases. An application with one database registers that alone, as in
// backends.New(redisstore.Schemes()).
//
// [DataStoreURL] and [BigSegmentStoreURL] open what the registry of package [backends] knows, [DataStore] and [BigSegmentStore] what a
// function returns, such as a store on a client of the application's, or an adapter of its own. examples/switch is a whole
// program, before and after.
//
// # What remains the SDK's
//
// Caching, the status of the store and recovery after an outage are the SDK's, as with its own stores; what package caching
// promises holds for clients of cleat only. Changes that other processes make show when cached items expire.
//
// # Layout
//
// Flags and segments are stored as the SDK gives them, in the layouts that its own stores and Relay Proxy use, and clients of
// cleat. What is no JSON object, unlike every flag and segment, is put into an object that only this package
// reads: {"$ldbridge":<base64>,"version":<number>,"deleted":<boolean>}.
//
// # Lifecycle
//
// A store is opened when the SDK's client is made, belongs to that client, and is closed with it. Several clients of one
// configuration have a store each. After Close, calls fail with [core.ErrClosed], and the store is not available.
//
// # Errors
//
// The SDK's interfaces have no contexts, so that every call is ended by a time limit of [Options] and then fails with
// [core.ErrUnavailable]; so does a call in which the store panics. All other errors come from the store as they are, but for
// two things. An error that concerns single items, such as [core.ErrTooLarge], is logged and not returned, because the SDK
// takes any error for an outage. And because the SDK's IsInitialized has no error, a store that cannot be asked counts as not
// initialised, which is logged once until it can be asked again.
//
// # Concurrency
//
// Stores are safe for concurrent use, and no goroutine is started by this package.
package ldbridge
