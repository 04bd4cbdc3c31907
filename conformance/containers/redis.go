package containers

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	redisPort = "6379/tcp"

	redisURLVariable   = "CLEAT_TEST_REDIS_URL"
	redisImageVariable = "CLEAT_TEST_REDIS_IMAGE"
)

var redisService = service{
	name: "redis", product: "Redis",
	advice:        "install and start Docker, or set CLEAT_TEST_REDIS_URL to a Redis server that tests may empty",
	variable:      redisURLVariable,
	imageVariable: redisImageVariable, defaultImage: "redis:7",
}

// Redis returns the redis:// URL of a server that all tests of the process share, and starts it if need be. If that cannot
// be done, the test is skipped, or fails if the service "redis" is required.
func Redis(t testing.TB) (url string) {
	t.Helper()
	return redisService.shareServer(t, pingRedis, func() (string, func(context.Context) error, error) {
		server, err := startRedis(0, nil)
		if err != nil {
			return "", nil, err
		}
		return server.URL, server.remove, nil
	})
}

// RedisServer is a Redis server of one test.
type RedisServer struct {
	// URL is the server's redis:// URL. It stays the same when the server is stopped and started again.
	URL string
	// Address is the host and port in it.
	Address string

	tls       *tls.Config // for TLS only: how to ask it whether it is there
	container testcontainers.Container
}

// StartRedis starts a server of the test's own, with arguments for redis-server, and removes it when the test ends. It
// starts a container also if CLEAT_TEST_REDIS_URL names a server; without Docker, the test is then skipped.
func StartRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatalf("containers: no free port: %v", err)
	}
	server, err := startRedis(port, args)
	redisService.own(t, server.remove, err)
	return server
}

// Stop stops the server. What it held in memory is lost.
func (s *RedisServer) Stop(t testing.TB) {
	t.Helper()
	redisService.stop(t, s.container)
}

// Start starts the server again and waits until it answers.
func (s *RedisServer) Start(t testing.TB) {
	t.Helper()
	redisService.restart(t, s.container, func(patience time.Duration) error { return awaitRedis(s.Address, s.tls, patience) })
}

// Pause stops the server's processes as SIGSTOP does: connections are accepted, and nothing is answered.
func (s *RedisServer) Pause(t testing.TB) {
	t.Helper()
	redisService.pause(t, s.container, true)
}

// Unpause has a server that was paused go on.
func (s *RedisServer) Unpause(t testing.TB) {
	t.Helper()
	redisService.pause(t, s.container, false)
}

func (s *RedisServer) remove(ctx context.Context) error {
	return remove(ctx, s.container)
}

// startRedis starts a container that listens on a port of the loopback interface, any if port is 0.
func startRedis(port int, args []string) (*RedisServer, error) {
	ctr, err := launchRedis(args, publish(redisPort, port))
	if err != nil {
		return nil, err
	}
	return describeRedis(ctr, nil)
}

// launchRedis starts a container and waits until the server in it says that it is ready.
func launchRedis(args []string, customizers ...testcontainers.ContainerCustomizer) (*testcontainers.DockerContainer, error) {
	command := append([]string{"redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no"}, args...)
	return redisService.launch(append([]testcontainers.ContainerCustomizer{
		testcontainers.WithCmd(command...),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, wait.ForLog("Ready to accept connections")),
	}, customizers...)...)
}

// describeRedis waits until the server in a container answers, and removes the container if it does not.
func describeRedis(ctr *testcontainers.DockerContainer, config *tls.Config) (*RedisServer, error) {
	address, err := reach(ctr, redisPort, func(address string, patience time.Duration) error {
		return awaitRedis(address, config, patience)
	})
	if err != nil {
		return nil, err
	}
	scheme := "redis://"
	if config != nil {
		scheme = "rediss://"
	}
	return &RedisServer{URL: scheme + address, Address: address, tls: config, container: ctr}, nil
}
