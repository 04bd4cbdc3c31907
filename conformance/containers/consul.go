package containers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
)

const (
	consulService = "consul"
	consulAdvice  = "install and start Docker, or set CLEAT_TEST_CONSUL_ADDR to a Consul server that tests may empty"
	consulPort    = "8500/tcp"

	consulAddressVariable = "CLEAT_TEST_CONSUL_ADDR"
	consulImageVariable   = "CLEAT_TEST_CONSUL_IMAGE"
	defaultConsulImage    = "hashicorp/consul"
)

// Consul returns the address, host and port, of the HTTP interface of a Consul server that all tests of the process share,
// and starts it if need be. If that cannot be done, the test is skipped, or fails if the service "consul" is required.
func Consul(t testing.TB) (address string) {
	t.Helper()
	address, err := shared.get(consulService, func() (string, func(context.Context) error, error) {
		if address := os.Getenv(consulAddressVariable); address != "" {
			return address, nil, pingConsul(address, runningPatience)
		}
		server, err := startConsul(0, nil)
		if err != nil {
			return "", nil, err
		}
		return server.Address, server.remove, nil
	})
	if err != nil {
		unreachable(t, consulService, consulAdvice, err)
	}
	return address
}

// ConsulServer is a Consul server of one test.
type ConsulServer struct {
	// Address is the host and port of its HTTP interface. It stays the same when the server is stopped and started again.
	Address string

	raft      string // the host and port by which the servers of a cluster know each other
	container testcontainers.Container
}

// StartConsul starts a server of the test's own in development mode, with more arguments for consul agent, and removes it
// when the test ends. It starts a container also if CLEAT_TEST_CONSUL_ADDR names a server; without Docker, the test is then
// skipped.
func StartConsul(t testing.TB, args ...string) *ConsulServer {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatalf("containers: no free port: %v", err)
	}
	server, err := startConsul(port, args)
	return ownConsul(t, server, err)
}

// ownConsul ends the test if its server did not start, and sees that it is removed if it did.
func ownConsul(t testing.TB, server *ConsulServer, err error) *ConsulServer {
	t.Helper()
	switch {
	case err != nil && os.Getenv(consulAddressVariable) != "":
		t.Skipf("containers: the test needs a Consul server of its own besides %s: %v", consulAddressVariable, err)
	case err != nil:
		unreachable(t, consulService, consulAdvice, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := server.remove(ctx); err != nil {
			t.Errorf("containers: removing consul: %v", err)
		}
	})
	return server
}

// Stop stops the server at once. What it held in memory is lost.
func (s *ConsulServer) Stop(t testing.TB) {
	t.Helper()
	var now time.Duration
	if err := s.container.Stop(context.Background(), &now); err != nil {
		t.Fatalf("containers: stopping consul: %v", err)
	}
}

// Start starts the server again and waits until it answers and knows a leader.
func (s *ConsulServer) Start(t testing.TB) {
	t.Helper()
	err := s.container.Start(context.Background())
	if err == nil {
		err = pingConsul(s.Address, startingPatience)
	}
	if err != nil {
		t.Fatalf("containers: starting consul again: %v", err)
	}
}

func (s *ConsulServer) remove(ctx context.Context) error {
	return s.container.Terminate(ctx, testcontainers.StopTimeout(0))
}

// startConsul starts a container that listens on a port of the loopback interface, any if port is 0.
func startConsul(port int, args []string) (*ConsulServer, error) {
	command := append([]string{"agent", "-dev", "-client", "0.0.0.0", "-bind", "127.0.0.1", "-dns-port", "-1",
		"-grpc-port", "-1", "-grpc-tls-port", "-1"}, args...)
	binding := network.PortBinding{HostIP: netip.MustParseAddr("127.0.0.1")}
	if port != 0 {
		binding.HostPort = strconv.Itoa(port)
	}
	return runConsul(command, func(ctx context.Context, ctr testcontainers.Container) (string, error) {
		host, err := ctr.Host(ctx)
		if err != nil {
			return "", err
		}
		mapped, err := ctr.MappedPort(ctx, consulPort)
		return net.JoinHostPort(host, mapped.Port()), err
	}, testcontainers.WithExposedPorts(consulPort),
		testcontainers.WithHostConfigModifier(func(config *container.HostConfig) {
			config.PortBindings = network.PortMap{network.MustParsePort(consulPort): {binding}}
		}))
}

// runConsul starts a container and waits until the server in it answers and knows a leader.
func runConsul(
	command []string, addressOf func(context.Context, testcontainers.Container) (string, error),
	customizers ...testcontainers.ContainerCustomizer,
) (*ConsulServer, error) {
	server, err := launchConsul(command, addressOf, customizers...)
	if err != nil {
		return nil, err
	}
	if err := pingConsul(server.Address, startingPatience); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return nil, errors.Join(err, server.remove(ctx))
	}
	return server, nil
}

// launchConsul starts a container and waits for nothing.
func launchConsul(
	command []string, addressOf func(context.Context, testcontainers.Container) (string, error),
	customizers ...testcontainers.ContainerCustomizer,
) (*ConsulServer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := checkDocker(ctx); err != nil {
		return nil, err
	}
	image := os.Getenv(consulImageVariable)
	if image == "" {
		image = defaultConsulImage
	}
	// The public image's entry point is a script, which is passed over, so that every image is started alike.
	customizers = append(customizers, testcontainers.WithEntrypoint("consul"), testcontainers.WithCmd(command...))
	ctr, err := testcontainers.Run(ctx, image, customizers...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting image %s: %w", image, err), terminate(ctr))
	}
	address, err := addressOf(ctx, ctr)
	if err != nil {
		return nil, errors.Join(err, terminate(ctr))
	}
	return &ConsulServer{Address: address, container: ctr}, nil
}

// pingConsul returns nil once the server knows a leader, and an error if it does not for as long as patience says.
func pingConsul(address string, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; <-time.After(50 * time.Millisecond) {
		_, err := askConsulLeader(address)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// askConsulLeader returns the leader's address as a server knows it, which a server tells without a token.
func askConsulLeader(address string) (leader string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", errors.New(consulAddressVariable + " is no host and port")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/status/leader", http.NoBody)
	if err != nil {
		return "", errors.New(consulAddressVariable + " is no host and port")
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the answer is %s", response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&leader); err != nil {
		return "", fmt.Errorf("the answer is not that of Consul: %w", err)
	}
	if leader == "" {
		return "", errors.New("consul has no leader")
	}
	return leader, nil
}
