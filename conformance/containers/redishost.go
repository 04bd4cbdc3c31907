package containers

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/testcontainers/testcontainers-go"
)

// startRedisMember starts a server that shares the machine's network, because it announces its address to others.
func startRedisMember(port int, args []string, customizers ...testcontainers.ContainerCustomizer) (*RedisServer, error) {
	if os.Getenv("DOCKER_HOST") != "" {
		return nil, errors.New("several Redis servers need a Docker daemon on this machine")
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	args = append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port)}, args...)
	ctr, err := launchRedis(args, append(customizers, shareNetwork())...)
	if err != nil {
		return nil, err
	}
	server := &RedisServer{URL: "redis://" + address, Address: address, container: ctr}
	if err := awaitRedis(address, nil, startingPatience); err != nil {
		return nil, errors.Join(err, terminate(ctr))
	}
	return server, nil
}

// startAll starts n servers at once, and removes those that did start if one does not.
func startAll(n int, start func(i int) (*RedisServer, error)) ([]*RedisServer, error) {
	servers, errs := make([]*RedisServer, n), make([]error, n)
	var starting sync.WaitGroup
	for i := range n {
		starting.Go(func() { servers[i], errs[i] = start(i) })
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return nil, errors.Join(err, removeAll(ctx, servers))
	}
	return servers, nil
}

// removeAll removes servers at once, among which may be nil.
func removeAll(ctx context.Context, servers []*RedisServer) error {
	errs := make([]error, len(servers))
	var removing sync.WaitGroup
	for i, server := range servers {
		if server != nil {
			removing.Go(func() { errs[i] = server.remove(ctx) })
		}
	}
	removing.Wait()
	return errors.Join(errs...)
}

// memberPorts are the ports that this process has given to servers. Unlike with a single server, whose port is taken as soon
// as it is known, several servers know each other's ports before any of them has started.
var memberPorts sync.Map

// freePorts returns n ports on which no server listens, and that no client is given for an outgoing connection meanwhile.
func freePorts(n int) ([]int, error) {
	const lowest, count, attempts = 20_000, 12_000, 1000
	ports := make([]int, 0, n)
	for range attempts {
		port := lowest + rand.IntN(count) //nolint:gosec // it is no secret
		if _, taken := memberPorts.LoadOrStore(port, true); taken {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return nil, err
		}
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("no free ports")
}
