// Package conformance proves adapters: the author of a [core.FeatureStoreCore] or a [core.BigSegmentStore] for a database
// runs it in a test and knows that the adapter keeps every promise that package core asks for and that can
// be tested through its interface.
//
//   - [RunFeatureStore] tests a [core.FeatureStoreCore] and its optional abilities.
//   - [RunWrapped] tests the same adapter behind a caching.CachingStoreWrapper, in each of its modes.
//   - [RunFaults] tests what both kinds of stores do when the network or the server fails.
//   - [RunBigSegments] tests a [core.BigSegmentStore] and its [core.BigSegmentWriter].
//
// # How to write a harness
//
// Start the real server, once for the test binary, and describe in a [Harness] how to reach it: Open makes a store with
// your adapter; WriteRaw, ReadRaw and Wipe use the bare driver, so that the suite can see what your adapter does, and do
// to the database what others might do to it. Say in [Capabilities] what the adapter can do. See the example.
//
// Every subtest works under a random prefix of its own, so that a database may be shared, but Wipe is called now and then
// and empties all of it: never give the suite a database that holds anything of value. Subtests run one after the other,
// and two suites must not run on one database at the same time.
//
// # What is shown
//
// A subtest is named after the promise that it holds the adapter to, such as Upsert/OlderIsRefusedAndTheWinnerReturned.
// The groups are: what Get, Upsert, Init and Initialized do, also while others read and write; that stores on one
// database see each other's writes and nothing is cached; keys, kinds, prefixes and sizes of every sort; corrupt items;
// that JSON stays as it is, byte for byte, and that a wrapper's tombstones have every property; concurrent use, for which
// histories are recorded and checked for linearizability; random sequences of operations compared with a model; contexts
// that are nil or end; Close; and the optional abilities. An ability that the harness does not declare is asserted to be
// absent. What happens to calls in flight when their context ends or the store is closed is tested on the store as cleat
// calls it, with every call bounded, because an adapter need not see to that itself.
//
// What a suite cannot know, an adapter tests itself: the exact keys of its database layout, its options, and translated
// errors.
//
// # Failures
//
// Every call has a deadline (see [Harness].Timeout), and a panic is caught, so that a store that hangs or panics fails the
// subtest that found it and no other. Concurrent histories come from fixed seeds; a failure names the seed and lists the
// calls. A failing sequence of random operations is made as short as possible and can be repeated with the flags that
// pgregory.net/rapid registers, such as -rapid.seed.
//
// With -short, everything is smaller: use it while you write the adapter.
package conformance
