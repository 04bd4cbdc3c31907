// Package certification shows what clients do on the worst day of their database: real servers are killed, stopped, cut off,
// filled up and lied about, while clients of every kind evaluate flags and get updates.
//
//	make certify                              # everything, and the page
//	scripts/certify.sh -only 'redis/SIGSTOP'  # one injection, of which the row of the page is replaced
//
// Without -certify, the tests make a few injections for a moment, and hold them to what a machine of any speed has to do.
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
