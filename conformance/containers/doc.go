// Package containers starts the real servers that adapters are tested with, by testcontainers-go.
//
// # Use
//
// A test asks for a server and gets its address:
//
//	func TestStore_Get_Missing(t *testing.T) {
//		url := containers.Redis(t)
//		…
//	}
//
// All tests of a process share one container per service, and each has to keep to a key prefix of its own. Test processes,
// one per package, share nothing. The containers are removed when the tests of the process have run, for which its TestMain
// has to see:
//
//	func TestMain(m *testing.M) { os.Exit(containers.Run(m)) }
//
// or, with a check for leaked goroutines, which then comes after the removal:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(containers.WithCleanup(m), …) }
//
// with goleak.IgnoreTopFunction for each of [BackgroundFunctions].
//
// A test that stops its server, or changes its configuration, starts one of its own with [StartRedis], [StartConsul] or
// [StartConsulCluster].
//
// # Environment
//
//   - CLEAT_TEST_REDIS_URL: use the server that runs there instead of starting one. Tests may remove everything in it.
//   - CLEAT_TEST_REDIS_IMAGE: the image to start; by default redis:7.
//   - CLEAT_TEST_CONSUL_ADDR and CLEAT_TEST_CONSUL_IMAGE: the same for Consul; by default hashicorp/consul.
//   - CLEAT_TEST_DYNAMODB_URL and CLEAT_TEST_DYNAMODB_IMAGE: the same for DynamoDB Local; by default amazon/dynamodb-local.
//   - CLEAT_TEST_REQUIRED: services, separated by commas, that must be there, such as "redis,consul,dynamodb".
//
// A test whose service cannot be reached is skipped with the reason, and fails if the service is required.
package containers
