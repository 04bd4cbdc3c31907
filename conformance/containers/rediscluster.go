package containers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

const (
	redisClusterService = "redis cluster"

	redisClusterPrimaries = 3
	redisClusterSlots     = 16384
)

// RedisClusterServers are the nodes of a Redis Cluster of one test: three primaries, of which each has a third of the slots
// in order, and then perhaps a replica of each, in the same order.
type RedisClusterServers struct {
	// URL is a redis+cluster:// URL with all nodes.
	URL string
	// Primaries and Replicas are the nodes as they began.
	Primaries, Replicas []*RedisServer
}

// RedisCluster returns the redis+cluster:// URL of a Redis Cluster of three nodes that all tests of the process share, and
// starts it if need be. If that cannot be done, the test is skipped, or fails if the service "redis" is required.
func RedisCluster(t testing.TB) (url string) {
	t.Helper()
	return redisService.share(t, redisClusterService, func() (string, func(context.Context) error, error) {
		cluster, err := startRedisCluster(false, nil)
		if err != nil {
			return "", nil, err
		}
		return cluster.URL, cluster.remove, nil
	})
}

// StartRedisCluster starts a Redis Cluster of the test's own, with arguments for each redis-server, and removes it when the
// test ends. A primary that is lost is replaced by its replica, if there are replicas, within seconds. The containers share
// the machine's network, because nodes announce their addresses; without Docker, and where Docker runs elsewhere, the test is
// skipped, or fails if the service "redis" is required.
func StartRedisCluster(t testing.TB, replicas bool, args ...string) *RedisClusterServers {
	t.Helper()
	cluster, err := startRedisCluster(replicas, args)
	redisService.own(t, cluster.remove, err)
	return cluster
}

func (c *RedisClusterServers) remove(ctx context.Context) error {
	return removeAll(ctx, append(c.Primaries, c.Replicas...))
}

func startRedisCluster(replicas bool, args []string) (*RedisClusterServers, error) {
	size := redisClusterPrimaries
	if replicas {
		size *= 2
	}
	ports, err := freePorts(2 * size)
	if err != nil {
		return nil, err
	}
	servers, err := startAll(size, func(i int) (*RedisServer, error) {
		return startRedisMember(ports[2*i], append([]string{
			"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(ports[2*i+1]), "--cluster-node-timeout", "1000",
			"--cluster-announce-ip", "127.0.0.1", "--cluster-replica-validity-factor", "0",
		}, args...))
	})
	if err != nil {
		return nil, err
	}
	c := &RedisClusterServers{URL: "redis+cluster://" + addressesOf(servers)}
	c.Primaries, c.Replicas = servers[:redisClusterPrimaries], servers[redisClusterPrimaries:]
	if err := c.form(servers, ports); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("forming a cluster: %w", err), c.remove(ctx))
	}
	return c, nil
}

func addressesOf(servers []*RedisServer) string {
	addresses := make([]string, len(servers))
	for i, server := range servers {
		addresses[i] = server.Address
	}
	return strings.Join(addresses, ",")
}

// form makes a Cluster of servers that do not know each other, and waits until all of them say that it is whole.
func (c *RedisClusterServers) form(servers []*RedisServer, ports []int) error {
	for i, server := range c.Primaries {
		first, next := i*redisClusterSlots/redisClusterPrimaries, (i+1)*redisClusterSlots/redisClusterPrimaries
		if _, err := server.ask("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(next-1)); err != nil {
			return err
		}
		if _, err := server.ask("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	for i, server := range servers[1:] {
		if _, err := server.ask("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(ports[0]), strconv.Itoa(ports[1])); err != nil {
			return fmt.Errorf("node %d: %w", i+1, err)
		}
	}
	for i, replica := range c.Replicas {
		if err := replica.follow(c.Primaries[i]); err != nil {
			return err
		}
	}
	for _, server := range servers {
		if err := server.awaitCluster(len(servers)); err != nil {
			return err
		}
	}
	return nil
}

// ask sends the server a command, with no spaces in its words.
func (s *RedisServer) ask(words ...string) (string, error) {
	reply, err := askRedis(s.Address, s.tls, words...)
	if err != nil {
		return "", fmt.Errorf("%s at %s: %w", strings.Join(words, " "), s.Address, err)
	}
	return reply, nil
}

// follow makes the server a replica of another one once it has heard of that.
func (s *RedisServer) follow(primary *RedisServer) error {
	id, err := primary.ask("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	return eventually(startingPatience, func() error {
		_, err := s.ask("CLUSTER", "REPLICATE", id)
		return err
	})
}

// awaitCluster waits until the node knows so many nodes and says that all slots are served.
func (s *RedisServer) awaitCluster(size int) error {
	return eventually(startingPatience, func() error {
		info, err := s.ask("CLUSTER", "INFO")
		if err != nil {
			return err
		}
		if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", size)) {
			return fmt.Errorf("the cluster as %s sees it: %q", s.Address, info)
		}
		nodes, err := s.ask("CLUSTER", "NODES")
		if err == nil && strings.Contains(nodes, "handshake") {
			err = errors.New("nodes are still introducing themselves")
		}
		return err
	})
}

// PrimaryOf returns the node that has a slot, as a node that runs sees it; nil if none has.
func (c *RedisClusterServers) PrimaryOf(t testing.TB, asked *RedisServer, slot int) *RedisServer {
	t.Helper()
	nodes, err := asked.ask("CLUSTER", "NODES")
	if err != nil {
		t.Fatalf("containers: %v", err)
	}
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if len(fields) < 9 || !strings.Contains(fields[2], "master") || strings.Contains(fields[2], "fail") {
			continue
		}
		for _, slots := range fields[8:] {
			var first, last int
			n, _ := fmt.Sscanf(slots, "%d-%d", &first, &last)
			if n == 1 { // a single one
				last = first
			}
			if n > 0 && first <= slot && slot <= last {
				return c.at(t, fields[1])
			}
		}
	}
	return nil
}

// at returns the node that announces an address such as 127.0.0.1:30001@40001.
func (c *RedisClusterServers) at(t testing.TB, announced string) *RedisServer {
	t.Helper()
	address, _, _ := strings.Cut(announced, "@")
	if _, _, err := net.SplitHostPort(address); err != nil {
		t.Fatalf("containers: a node announces %q: %v", announced, err)
	}
	for _, server := range append(c.Primaries, c.Replicas...) {
		if server.Address == address {
			return server
		}
	}
	t.Fatalf("containers: there is no such node at %s", announced)
	return nil
}
