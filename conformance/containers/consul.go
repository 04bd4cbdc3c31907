package containers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
)

const (
	consulPort = "8500/tcp"

	consulAddressVariable = "CLEAT_TEST_CONSUL_ADDR"
)

var consulService = service{
	name: "consul", product: "Consul",
	advice:        "install and start Docker, or set CLEAT_TEST_CONSUL_ADDR to a Consul server that tests may empty",
	variable:      consulAddressVariable,
	imageVariable: "CLEAT_TEST_CONSUL_IMAGE", defaultImage: "hashicorp/consul",
}

// Consul returns the address, host and port, of the HTTP interface of a Consul server that all tests of the process share,
// and starts it if need be. If that cannot be done, the test is skipped, or fails if the service "consul" is required.
func Consul(t testing.TB) (address string) {
	t.Helper()
	return consulService.shareServer(t, pingConsul, func() (string, func(context.Context) error, error) {
		server, err := startConsul(0, nil)
		if err != nil {
			return "", nil, err
		}
		return server.Address, server.remove, nil
	})
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
	consulService.own(t, server.remove, err)
	return server
}

// Stop stops the server at once. What it held in memory is lost.
func (s *ConsulServer) Stop(t testing.TB) {
	t.Helper()
	consulService.stop(t, s.container)
}

// Start starts the server again and waits until it answers and knows a leader.
func (s *ConsulServer) Start(t testing.TB) {
	t.Helper()
	consulService.restart(t, s.container, func(patience time.Duration) error { return pingConsul(s.Address, patience) })
}

// Pause stops the server's processes as SIGSTOP does: connections are accepted, and nothing is answered.
func (s *ConsulServer) Pause(t testing.TB) {
	t.Helper()
	consulService.pause(t, s.container, true)
}

// Unpause has a server that was paused go on.
func (s *ConsulServer) Unpause(t testing.TB) {
	t.Helper()
	consulService.pause(t, s.container, false)
}

func (s *ConsulServer) remove(ctx context.Context) error {
	return remove(ctx, s.container)
}

// startConsul starts a container that listens on a port of the loopback interface, any if port is 0, and waits until the
// server in it answers and knows a leader.
func startConsul(port int, args []string) (*ConsulServer, error) {
	command := append([]string{"agent", "-dev", "-client", "0.0.0.0", "-bind", "127.0.0.1", "-dns-port", "-1",
		"-grpc-port", "-1", "-grpc-tls-port", "-1"}, args...)
	ctr, err := launchConsul(command, publish(consulPort, port))
	if err != nil {
		return nil, err
	}
	address, err := reach(ctr, consulPort, pingConsul)
	if err != nil {
		return nil, err
	}
	return &ConsulServer{Address: address, container: ctr}, nil
}

// launchConsul starts a container and waits for nothing.
func launchConsul(
	command []string, customizers ...testcontainers.ContainerCustomizer,
) (*testcontainers.DockerContainer, error) {
	// The public image's entry point is a script, which is passed over, so that every image is started alike.
	return consulService.launch(
		append(customizers, testcontainers.WithEntrypoint("consul"), testcontainers.WithCmd(command...))...)
}

// pingConsul returns nil once the server knows a leader, and an error if it does not for as long as patience says.
func pingConsul(address string, patience time.Duration) error {
	return eventually(patience, func() error {
		_, err := askConsulLeader(address)
		return err
	})
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
