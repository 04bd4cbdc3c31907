// Contracttest is the service by which LaunchDarkly's public test suite for SDKs, sdk-test-harness, drives this client.
// It listens for the requests of that suite's test-service protocol: one makes a client, others make it evaluate flags,
// record events and so on, and one closes it.
//
// Start it with
//
//	make contract-service
//
// which listens on 127.0.0.1:8100 unless CONTRACT_SERVICE_ADDRESS says otherwise, and then the suite with -url. The access
// keys that it sets are those of DynamoDB Local, which takes any.
//
// Two things differ from what a client does by default, because the suite asserts the opposite: databases are not watched
// for changes by others, and one that was emptied behind the client's back is believed to be empty.
package main
