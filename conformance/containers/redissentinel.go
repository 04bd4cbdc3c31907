package containers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	redisSentinelService = "redis sentinel"

	// redisPrimaryName is how the Sentinels call the primary.
	redisPrimaryName = "cleat"

	redisSentinels      = 3
	redisSentinelQuorum = 2
)

// RedisSentinelServers are a primary, a replica, and three Sentinels that watch them, of one test. The Sentinels take the
// primary for lost after half a second, and the replica takes its place.
type RedisSentinelServers struct {
	// URL is a redis+sentinel:// URL with all Sentinels.
	URL string
	// Name is the one by which the Sentinels know the primary.
	Name string
	// Primary and Replica are the servers as they began.
	Primary, Replica *RedisServer
	// Sentinels are those that watch them.
	Sentinels []*RedisServer
}

// RedisSentinel returns the redis+sentinel:// URL of servers that all tests of the process share, and starts them if need be.
// If that cannot be done, the test is skipped, or fails if the service "redis" is required.
func RedisSentinel(t testing.TB) (url string) {
	t.Helper()
	return redisService.share(t, redisSentinelService, func() (string, func(context.Context) error, error) {
		servers, err := startRedisSentinel(nil)
		if err != nil {
			return "", nil, err
		}
		return servers.URL, servers.remove, nil
	})
}

// StartRedisSentinel starts servers of the test's own, with lines for the configuration of each Sentinel, and removes them
// when the test ends. The containers share the machine's network, because the servers announce their addresses; without
// Docker, and where Docker runs elsewhere, the test is skipped, or fails if the service "redis" is required.
func StartRedisSentinel(t testing.TB, configuration ...string) *RedisSentinelServers {
	t.Helper()
	servers, err := startRedisSentinel(configuration)
	redisService.own(t, servers.remove, err)
	return servers
}

// ReportedPrimary returns the address of the primary as a Sentinel reports it.
func (s *RedisSentinelServers) ReportedPrimary(t testing.TB, sentinel *RedisServer) (address string) {
	t.Helper()
	info, err := sentinel.ask("INFO", "sentinel")
	if err != nil {
		t.Fatalf("containers: %v", err)
	}
	_, after, _ := strings.Cut(info, "name="+s.Name)
	_, after, _ = strings.Cut(after, "address=")
	address, _, found := strings.Cut(after, ",")
	if !found {
		t.Fatalf("containers: the Sentinel at %s says %q", sentinel.Address, info)
	}
	return address
}

func (s *RedisSentinelServers) remove(ctx context.Context) error {
	return removeAll(ctx, append([]*RedisServer{s.Primary, s.Replica}, s.Sentinels...))
}

func startRedisSentinel(configuration []string) (*RedisSentinelServers, error) {
	ports, err := freePorts(2 + redisSentinels)
	if err != nil {
		return nil, err
	}
	s := &RedisSentinelServers{Name: redisPrimaryName}
	if s.Primary, err = startRedisMember(ports[0], nil); err != nil {
		return nil, err
	}
	s.Replica, err = startRedisMember(ports[1], []string{"--replicaof", "127.0.0.1 " + strconv.Itoa(ports[0])})
	if err == nil {
		s.Sentinels, err = startAll(redisSentinels, func(i int) (*RedisServer, error) {
			return startRedisSentinelMember(ports[2+i], ports[0], configuration)
		})
	}
	if err == nil {
		s.URL = "redis+sentinel://" + addressesOf(s.Sentinels) + "/" + s.Name
		err = s.settle()
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return nil, errors.Join(err, s.remove(ctx))
	}
	return s, nil
}

// startRedisSentinelMember starts a Sentinel, which wants a file that it can write its configuration to.
func startRedisSentinelMember(port, primary int, configuration []string) (*RedisServer, error) {
	const file = "/data/sentinel.conf"
	lines := slices.Concat([]string{
		"bind 127.0.0.1",
		"port " + strconv.Itoa(port),
		"protected-mode no",
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", redisPrimaryName, primary, redisSentinelQuorum),
		fmt.Sprintf("sentinel down-after-milliseconds %s 500", redisPrimaryName),
		fmt.Sprintf("sentinel failover-timeout %s 5000", redisPrimaryName),
	}, configuration, []string{""})
	return startRedisMember(port, nil,
		testcontainers.WithCmd("redis-server", file, "--sentinel"),
		testcontainers.WithFiles(testcontainers.ContainerFile{
			Reader: strings.NewReader(strings.Join(lines, "\n")), ContainerFilePath: file, FileMode: 0o666,
		}),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, wait.ForLog("+monitor master")))
}

// settle waits until each Sentinel knows the others and the replica, and the replica has what the primary has: before that
// there is no failover.
func (s *RedisSentinelServers) settle() error {
	for _, sentinel := range s.Sentinels {
		err := eventually(startingPatience, func() error {
			info, err := sentinel.ask("INFO", "sentinel")
			if refusal := redisError(""); errors.As(err, &refusal) && strings.HasPrefix(string(refusal), "NOAUTH") {
				return nil // It is not for us to know more.
			}
			if err == nil && !strings.Contains(info, fmt.Sprintf("status=ok,address=%s,slaves=1,sentinels=%d",
				net.JoinHostPort("127.0.0.1", s.Primary.port()), redisSentinels)) {
				err = fmt.Errorf("the Sentinel at %s says %q", sentinel.Address, info)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return eventually(startingPatience, func() error {
		info, err := s.Replica.ask("INFO", "replication")
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = fmt.Errorf("the replica at %s says %q", s.Replica.Address, info)
		}
		return err
	})
}

func (s *RedisServer) port() string {
	_, port, _ := net.SplitHostPort(s.Address)
	return port
}
