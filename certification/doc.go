// Package certification shows what clients do on the worst day of their database: real servers are killed, stopped, cut off,
// filled up and lied about, while clients of every kind evaluate flags and get updates.
//
//	go test -C certification -timeout 60m -args -certify                 # everything that is there
//	go test -C certification -timeout 60m -args -certify -only redis/    # the injections of one server
//
// Without -certify, a few injections are made, to see that the machinery works and that the product's promises hold.
//
// # How it is measured
//
// An injection makes one thing go wrong with one server, for a while. One server has all clients at once, each with a prefix of
// its own: every cache mode, with a data source of the first and of the second generation and in daemon mode, each of them
// once running before the fault and once started in it. A client with a memory store beside them shows what the machine itself
// costs. Fifty goroutines evaluate a known flag with each client; one value is one version of the flag, so that a
// value that is older than one that was seen before can be told.
//
// [Cell] is what was seen of one client. What it has to be is in [Cell.Misses].
package certification
