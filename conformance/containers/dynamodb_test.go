package containers

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// All tests share one server, and it answers.
func TestDynamoDB_IsShared(t *testing.T) {
	endpoint := DynamoDB(t)
	require.Equal(t, endpoint, DynamoDB(t))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(endpoint)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Contains(t, string(body), "Authentication")
}

// TestDynamoChild is what the processes started by runChild run besides TestChild.
func TestDynamoChild(t *testing.T) {
	if os.Getenv(dynamoChildVariable) == "" {
		return
	}
	t.Log("endpoint " + DynamoDB(t))
}

const dynamoChildVariable = "CLEAT_TEST_DYNAMODB_CHILD"

func TestDynamoDB_Unreachable_IsSkippedOrFails(t *testing.T) {
	for _, unreachable := range [][]string{
		{noDocker, dynamoURLVariable + "="},
		{dynamoURLVariable + "=http://user:secret@127.0.0.1:1"},
		{dynamoURLVariable + "=http://user:sec/ret@127.0.0.1:1"},
	} {
		for required, failure := range map[string]bool{"redis": false, "redis, dynamodb": true} {
			output, failed := runDynamoChild(t, append(unreachable, requiredVariable+"="+required)...)
			require.Equal(t, failure, failed, output)
			require.Contains(t, output, "dynamodb")
			require.Contains(t, output, "install and start Docker, or set "+dynamoURLVariable)
			require.NotContains(t, output, "sec")
		}
	}
}

// A server that runs already is used as it is, without Docker.
func TestDynamoDB_URL_IsUsed(t *testing.T) {
	endpoint := DynamoDB(t)
	output, failed := runDynamoChild(t, noDocker, dynamoURLVariable+"="+endpoint)
	require.False(t, failed, output)
	require.Contains(t, output, "endpoint "+endpoint)
}

func runDynamoChild(t *testing.T, variables ...string) (output string, failed bool) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDynamoChild$", "-test.v", "-test.count=1")
	command.Env = append(os.Environ(), append(variables, dynamoChildVariable+"=1")...)
	printed, err := command.CombinedOutput()
	return string(printed), err != nil
}
