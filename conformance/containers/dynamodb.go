package containers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	dynamoService = "dynamodb"
	dynamoAdvice  = "install and start Docker, or set CLEAT_TEST_DYNAMODB_URL to a DynamoDB Local that tests may empty"
	dynamoPort    = "8000/tcp"

	dynamoURLVariable   = "CLEAT_TEST_DYNAMODB_URL"
	dynamoImageVariable = "CLEAT_TEST_DYNAMODB_IMAGE"
	defaultDynamoImage  = "amazon/dynamodb-local"
)

// DynamoDB returns the endpoint of a DynamoDB Local that all tests of the process share, such as http://127.0.0.1:8000, and
// starts it if need be. It accepts any region and any credentials that are not empty. If it cannot be started, the test is
// skipped, or fails if the service "dynamodb" is required.
func DynamoDB(t testing.TB) (endpoint string) {
	t.Helper()
	endpoint, err := shared.get(dynamoService, func() (string, func(context.Context) error, error) {
		if endpoint := os.Getenv(dynamoURLVariable); endpoint != "" {
			return endpoint, nil, awaitDynamoDB(endpoint, runningPatience)
		}
		return startDynamoDB()
	})
	if err != nil {
		unreachable(t, dynamoService, dynamoAdvice, err)
	}
	return endpoint
}

func startDynamoDB() (endpoint string, remove func(context.Context) error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := checkDocker(ctx); err != nil {
		return "", nil, err
	}
	image := os.Getenv(dynamoImageVariable)
	if image == "" {
		image = defaultDynamoImage
	}
	ctr, err := testcontainers.Run(ctx, image,
		// Without its encoding, the server takes different texts that are not ASCII for the same in sets.
		testcontainers.WithCmd("-Dfile.encoding=UTF-8", "-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar",
			"-inMemory", "-sharedDb"),
		testcontainers.WithExposedPorts(dynamoPort),
		testcontainers.WithHostConfigModifier(func(config *container.HostConfig) {
			loopback := network.PortBinding{HostIP: netip.MustParseAddr("127.0.0.1")}
			config.PortBindings = network.PortMap{network.MustParsePort(dynamoPort): {loopback}}
		}),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, wait.ForLog("Initializing DynamoDB Local")))
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("starting image %s: %w", image, err), terminate(ctr))
	}
	endpoint, err = dynamoEndpoint(ctx, ctr)
	if err != nil {
		return "", nil, errors.Join(err, terminate(ctr))
	}
	return endpoint, func(ctx context.Context) error {
		return ctr.Terminate(ctx, testcontainers.StopTimeout(0))
	}, nil
}

func dynamoEndpoint(ctx context.Context, ctr testcontainers.Container) (string, error) {
	host, err := ctr.Host(ctx)
	if err != nil {
		return "", err
	}
	mapped, err := ctr.MappedPort(ctx, dynamoPort)
	if err != nil {
		return "", err
	}
	endpoint := "http://" + net.JoinHostPort(host, mapped.Port())
	return endpoint, awaitDynamoDB(endpoint, startingPatience)
}

// awaitDynamoDB returns nil once the server answers, and an error if it does not for as long as patience says. A request
// without a signature is answered with an error, but answered.
func awaitDynamoDB(endpoint string, patience time.Duration) error {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(patience); ; <-time.After(50 * time.Millisecond) {
		err := askDynamoDB(client, endpoint)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func askDynamoDB(client *http.Client, endpoint string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, http.NoBody)
	if err != nil {
		return errors.New(dynamoURLVariable + " is no http:// URL") // The cause may contain a password.
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return errors.Join(err, response.Body.Close())
}
