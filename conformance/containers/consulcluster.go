package containers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// StartConsulCluster starts so many servers of the test's own that elect a leader among themselves, and removes them when the
// test ends. Unlike those in development mode, they keep their data on disk, and they may be stopped and started again. Their
// containers share the machine's network, because servers announce their addresses to each other; without Docker, and where
// Docker runs elsewhere, the test is skipped, or fails if the service "consul" is required.
func StartConsulCluster(t testing.TB, size int) []*ConsulServer {
	t.Helper()
	ports := make([]consulPorts, size)
	for i := range ports {
		var err error
		if ports[i], err = freeConsulPorts(); err != nil {
			t.Fatalf("containers: no free port: %v", err)
		}
	}
	servers := make([]*ConsulServer, size)
	for i := range servers {
		server, err := launchConsulMember(i, ports)
		consulService.own(t, server.remove, err)
		servers[i] = server
	}
	for _, server := range servers {
		if err := pingConsul(server.Address, startingPatience); err != nil {
			consulService.unreachable(t, err)
		}
	}
	return servers
}

// ConsulLeader returns the server that leads the cluster as the given one sees it. It waits for an election to end.
func ConsulLeader(t testing.TB, servers []*ConsulServer, asked *ConsulServer) *ConsulServer {
	t.Helper()
	err := errors.New("the leader is not one of the servers")
	for deadline := time.Now().Add(startingPatience); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		var leader string
		leader, err = askConsulLeader(asked.Address)
		for _, server := range servers {
			if err == nil && server.raft == leader {
				return server
			}
		}
	}
	t.Fatalf("containers: no leader: %v", err)
	return nil
}

// consulPorts are the ports of one server.
type consulPorts struct{ http, server, lan, wan int }

func freeConsulPorts() (ports consulPorts, err error) {
	for _, port := range []*int{&ports.http, &ports.server, &ports.lan, &ports.wan} {
		if *port, err = freePort(); err != nil {
			return consulPorts{}, err
		}
	}
	return ports, nil
}

// launchConsulMember starts a server that keeps its data and elects quickly.
func launchConsulMember(i int, ports []consulPorts) (*ConsulServer, error) {
	own := ports[i]
	joins := make([]string, len(ports))
	for i, other := range ports {
		joins[i] = "-retry-join=" + net.JoinHostPort("127.0.0.1", strconv.Itoa(other.lan))
	}
	command := slices.Concat([]string{
		"agent", "-server", "-bootstrap-expect", strconv.Itoa(len(ports)), "-node", fmt.Sprint("server-", i),
		"-data-dir", "/tmp/consul", "-bind", "127.0.0.1", "-client", "127.0.0.1",
		"-http-port", strconv.Itoa(own.http), "-server-port", strconv.Itoa(own.server),
		"-serf-lan-port", strconv.Itoa(own.lan), "-serf-wan-port", strconv.Itoa(own.wan),
		"-dns-port", "-1", "-grpc-port", "-1", "-grpc-tls-port", "-1", "-hcl", "performance { raft_multiplier = 1 }",
	}, joins)
	if os.Getenv("DOCKER_HOST") != "" {
		return nil, errors.New("a cluster needs a Docker daemon on this machine")
	}
	ctr, err := launchConsul(command, shareNetwork())
	if err != nil {
		return nil, err
	}
	return &ConsulServer{
		Address:   net.JoinHostPort("127.0.0.1", strconv.Itoa(own.http)),
		raft:      net.JoinHostPort("127.0.0.1", strconv.Itoa(own.server)),
		container: ctr,
	}, nil
}
