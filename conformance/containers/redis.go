package containers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	redisService = "redis"
	redisAdvice  = "install and start Docker, or set CLEAT_TEST_REDIS_URL to a Redis server that tests may empty"
	redisPort    = "6379/tcp"

	redisURLVariable   = "CLEAT_TEST_REDIS_URL"
	redisImageVariable = "CLEAT_TEST_REDIS_IMAGE"
	defaultRedisImage  = "redis:7"

	// A server that runs already answers at once, one in a new container when it has started.
	runningPatience  = time.Second
	startingPatience = 30 * time.Second
)

// Redis returns the redis:// URL of a server that all tests of the process share, and starts it if need be. If that cannot
// be done, the test is skipped, or fails if the service "redis" is required.
func Redis(t testing.TB) (url string) {
	t.Helper()
	url, err := shared.get(redisService, func() (string, func(context.Context) error, error) {
		if url := os.Getenv(redisURLVariable); url != "" {
			return url, nil, pingRedis(url, runningPatience)
		}
		server, err := startRedis(0, nil)
		if err != nil {
			return "", nil, err
		}
		return server.URL, server.remove, nil
	})
	if err != nil {
		unreachable(t, redisService, redisAdvice, err)
	}
	return url
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
	ownRedis(t, server.remove, err)
	return server
}

// ownRedis ends the test if its servers did not start, and sees that they are removed if they did.
func ownRedis(t testing.TB, remove func(context.Context) error, err error) {
	t.Helper()
	switch {
	case err != nil && os.Getenv(redisURLVariable) != "":
		t.Skipf("containers: the test needs a Redis server of its own besides %s: %v", redisURLVariable, err)
	case err != nil:
		unreachable(t, redisService, redisAdvice, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := remove(ctx); err != nil {
			t.Errorf("containers: removing redis: %v", err)
		}
	})
}

// Stop stops the server. What it held in memory is lost.
func (s *RedisServer) Stop(t testing.TB) {
	t.Helper()
	var now time.Duration
	if err := s.container.Stop(context.Background(), &now); err != nil {
		t.Fatalf("containers: stopping redis: %v", err)
	}
}

// Start starts the server again and waits until it answers.
func (s *RedisServer) Start(t testing.TB) {
	t.Helper()
	err := s.container.Start(context.Background())
	if err == nil {
		err = awaitRedis(s.Address, s.tls, startingPatience)
	}
	if err != nil {
		t.Fatalf("containers: starting redis again: %v", err)
	}
}

func (s *RedisServer) remove(ctx context.Context) error {
	return s.container.Terminate(ctx, testcontainers.StopTimeout(0))
}

// startRedis starts a container that listens on a port of the loopback interface, any if port is 0.
func startRedis(port int, args []string) (*RedisServer, error) {
	ctr, err := launchRedis(args,
		testcontainers.WithExposedPorts(redisPort), testcontainers.WithHostConfigModifier(bindLoopback(port)))
	if err != nil {
		return nil, err
	}
	return describeRedis(ctr, nil)
}

// launchRedis starts a container and waits until the server in it says that it is ready.
func launchRedis(args []string, customizers ...testcontainers.ContainerCustomizer) (*testcontainers.DockerContainer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := checkDocker(ctx); err != nil {
		return nil, err
	}
	image := os.Getenv(redisImageVariable)
	if image == "" {
		image = defaultRedisImage
	}
	command := append([]string{"redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no"}, args...)
	customizers = append([]testcontainers.ContainerCustomizer{
		testcontainers.WithCmd(command...),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, wait.ForLog("Ready to accept connections")),
	}, customizers...)
	ctr, err := testcontainers.Run(ctx, image, customizers...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting image %s: %w", image, err), terminate(ctr))
	}
	return ctr, nil
}

// describeRedis waits until the server in a container answers, and removes the container if it does not.
func describeRedis(ctr *testcontainers.DockerContainer, config *tls.Config) (*RedisServer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	host, err := ctr.Host(ctx)
	if err != nil {
		return nil, errors.Join(err, terminate(ctr))
	}
	mapped, err := ctr.MappedPort(ctx, redisPort)
	if err != nil {
		return nil, errors.Join(err, terminate(ctr))
	}
	address := net.JoinHostPort(host, mapped.Port())
	if err := awaitRedis(address, config, startingPatience); err != nil {
		return nil, errors.Join(err, terminate(ctr))
	}
	scheme := "redis://"
	if config != nil {
		scheme = "rediss://"
	}
	return &RedisServer{URL: scheme + address, Address: address, tls: config, container: ctr}, nil
}

func terminate(ctr *testcontainers.DockerContainer) error {
	if ctr == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return ctr.Terminate(ctx, testcontainers.StopTimeout(0))
}

func bindLoopback(port int) func(*container.HostConfig) {
	binding := network.PortBinding{HostIP: netip.MustParseAddr("127.0.0.1")}
	if port != 0 {
		binding.HostPort = strconv.Itoa(port)
	}
	return func(config *container.HostConfig) {
		config.PortBindings = network.PortMap{network.MustParsePort(redisPort): {binding}}
	}
}

func freePort() (int, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close() //nolint:errcheck // nothing was accepted
	return listener.Addr().(*net.TCPAddr).Port, nil
}
