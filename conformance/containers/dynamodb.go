package containers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	dynamoPort = "8000/tcp"

	dynamoURLVariable = "CLEAT_TEST_DYNAMODB_URL"
)

var dynamoService = service{
	name: "dynamodb", product: "DynamoDB",
	advice:        "install and start Docker, or set CLEAT_TEST_DYNAMODB_URL to a DynamoDB Local that tests may empty",
	variable:      dynamoURLVariable,
	imageVariable: "CLEAT_TEST_DYNAMODB_IMAGE", defaultImage: "amazon/dynamodb-local",
}

// DynamoDB returns the endpoint of a DynamoDB Local that all tests of the process share, such as http://127.0.0.1:8000, and
// starts it if need be. It accepts any region and any credentials that are not empty. If it cannot be started, the test is
// skipped, or fails if the service "dynamodb" is required.
func DynamoDB(t testing.TB) (endpoint string) {
	t.Helper()
	return dynamoService.shareServer(t, awaitDynamoDB, startDynamoDB)
}

func startDynamoDB() (endpoint string, removeServer func(context.Context) error, err error) {
	ctr, err := dynamoService.launch(
		// Without its encoding, the server takes different texts that are not ASCII for the same in sets.
		testcontainers.WithCmd("-Dfile.encoding=UTF-8", "-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar",
			"-inMemory", "-sharedDb"),
		publish(dynamoPort, 0),
		testcontainers.WithWaitStrategyAndDeadline(startTimeout, wait.ForLog("Initializing DynamoDB Local")))
	if err != nil {
		return "", nil, err
	}
	address, err := reach(ctr, dynamoPort, func(address string, patience time.Duration) error {
		return awaitDynamoDB("http://"+address, patience)
	})
	if err != nil {
		return "", nil, err
	}
	return "http://" + address, func(ctx context.Context) error { return remove(ctx, ctr) }, nil
}

// awaitDynamoDB returns nil once the server answers, and an error if it does not for as long as patience says. A request
// without a signature is answered with an error, but answered.
func awaitDynamoDB(endpoint string, patience time.Duration) error {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	return eventually(patience, func() error { return askDynamoDB(client, endpoint) })
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
