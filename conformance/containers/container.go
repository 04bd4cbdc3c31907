package containers

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
)

// reach returns the host and port at which the server in a container answers, and removes the container if it does not.
func reach(
	ctr *testcontainers.DockerContainer, port string, await func(address string, patience time.Duration) error,
) (address string, err error) {
	address, err = addressOf(ctr, port)
	if err == nil {
		err = await(address, startingPatience)
	}
	if err != nil {
		return "", errors.Join(err, terminate(ctr))
	}
	return address, nil
}

// addressOf returns the host and port by which a port of a container is reached.
func addressOf(ctr *testcontainers.DockerContainer, port string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	host, err := ctr.Host(ctx)
	if err != nil {
		return "", err
	}
	mapped, err := ctr.MappedPort(ctx, port)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, mapped.Port()), nil
}

// terminate removes a container, if there is one.
func terminate(ctr *testcontainers.DockerContainer) error {
	if ctr == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return remove(ctx, ctr)
}

func remove(ctx context.Context, ctr testcontainers.Container) error {
	return ctr.Terminate(ctx, testcontainers.StopTimeout(0))
}

// publish has a port of a container reached by one of the loopback interface, any if onHost is 0.
func publish(port string, onHost int) testcontainers.CustomizeRequestOption {
	binding := network.PortBinding{HostIP: netip.MustParseAddr("127.0.0.1")}
	if onHost != 0 {
		binding.HostPort = strconv.Itoa(onHost)
	}
	bind := testcontainers.WithHostConfigModifier(func(config *container.HostConfig) {
		config.PortBindings = network.PortMap{network.MustParsePort(port): {binding}}
	})
	return func(request *testcontainers.GenericContainerRequest) error {
		return errors.Join(testcontainers.WithExposedPorts(port).Customize(request), bind.Customize(request))
	}
}

// shareNetwork has a container use the machine's network.
func shareNetwork() testcontainers.CustomizeRequestOption {
	return testcontainers.WithHostConfigModifier(func(config *container.HostConfig) { config.NetworkMode = "host" })
}

func freePort() (int, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close() //nolint:errcheck // nothing was accepted
	return listener.Addr().(*net.TCPAddr).Port, nil
}
