// Package customstore is an adapter for a database of one's own, in the smallest form that keeps the promises of
// [github.com/cleatdev/cleat/core.FeatureStoreCore]: a directory with one JSON file per prefix. Its test proves it with
// the suite that proves the other adapters.
//
//	go test ./examples/customstore
//
// # What it does, and what not
//
// A file is replaced as a whole by renaming another one over it, so that a reader sees what was there before an update or
// after it. Writers, also those of other processes, take turns by a lock on a file beside it, which the operating system
// gives up when a process dies. Every call reads the whole file, and every update writes it: that is enough for some
// hundreds of flags, with the cache that a client has before any store. Files are not synchronised with the disk, so that
// a machine that loses power may lose updates. It does without the optional abilities: changes by others show when cached
// items expire.
//
// # Use
//
//	store, err := customstore.New("/var/lib/app", "shop")
//	…
//	client, err := cleat.New(ctx, cleat.Config{SDKKey: sdkKey, Store: store})
package customstore
