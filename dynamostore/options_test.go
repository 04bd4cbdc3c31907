package dynamostore

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

func TestOptions_Invalid(t *testing.T) {
	for want, opts := range map[string]Options{
		"Prefix has 1003 bytes":          {Prefix: strings.Repeat("p", 1003)},
		"is not UTF-8":                   {Prefix: "\xff"},
		"WatchInterval -1ns":             {WatchInterval: -1},
		"InitConcurrency -1 is negative": {InitConcurrency: -1},
		"Endpoint must be a URL":         {Endpoint: "localhost:8000"},
		"Endpoint must not contain":      {Endpoint: "http://user:secret@localhost"},
	} {
		_, err := Open(t.Context(), "table", &opts)
		require.ErrorIs(t, err, core.ErrInvalid, want)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
		_, err = OpenBigSegments(t.Context(), "table", &opts)
		require.ErrorContains(t, err, want)
	}
	_, err := Open(t.Context(), "table", &Options{Prefix: "\xff", InitConcurrency: -1})
	require.ErrorContains(t, err, "Prefix")
	require.ErrorContains(t, err, "InitConcurrency")
}

// The longest prefix leaves room for everything that is stored under it.
func TestOptions_LongestPrefix(t *testing.T) {
	client, table := bareClient(t), freshTable(t)
	prefix := strings.Repeat("p", maxPrefix)
	store := newStore(t, client, table, Options{Prefix: prefix})
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(2, 1, 100)}))
	segments, err := NewBigSegments(t.Context(), client, table, &Options{Prefix: prefix})
	require.NoError(t, err)
	require.NoError(t, segments.SetLastUpToDate(t.Context(), 1))
	require.NoError(t, segments.Close())
}

func TestNew_Arguments(t *testing.T) {
	client := clientFor(t, "http://127.0.0.1:1", nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for want, try := range map[string]func() error{
		"the context is nil": func() error { _, err := New(nil, client, "table", nil); return err },
		"the client is nil":  func() error { _, err := New(t.Context(), nil, "table", nil); return err },
		"the table is empty": func() error { _, err := New(t.Context(), client, "", nil); return err },
		"are for Open": func() error {
			_, err := NewBigSegments(t.Context(), client, "table", &Options{HTTPClient: http.DefaultClient})
			return err
		},
		"context is nil":    func() error { _, err := Open(nil, "table", nil); return err },
		"name of the table": func() error { _, err := OpenBigSegments(t.Context(), "", nil); return err },
		"client given has":  func() error { _, err := New(t.Context(), client, "table", &Options{Region: "x"}); return err },
		"given has its own": func() error { _, err := New(t.Context(), client, "table", &Options{Endpoint: "http://x"}); return err },
		"for Open; the client ": func() error {
			_, err := New(t.Context(), client, "table", &Options{Credentials: testCredentials()})
			return err
		},
	} {
		err := try()
		require.ErrorIs(t, err, core.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
	_, err := New(ended, client, "table", nil)
	require.Equal(t, context.Canceled, err)
	_, err = Open(ended, "table", &Options{Region: region})
	require.Equal(t, context.Canceled, err)
}

// isolate hides the AWS configuration of the user who runs the tests.
func isolate(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, t.TempDir()+"/none")
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// Without options, region, endpoint and credentials come from the environment, as for every AWS program.
func TestOpen_Environment(t *testing.T) {
	isolate(t)
	_, err := Open(t.Context(), "table", nil)
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "set Options.Region or AWS_REGION")

	table := freshTable(t)
	t.Setenv("AWS_REGION", region)
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", forOpen(t, Options{}).Endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
	store, err := Open(t.Context(), table, nil)
	require.NoError(t, err)
	require.NoError(t, store.CheckAvailability(t.Context()))
	require.NoError(t, store.Close())
}

// countingClient is an HTTP client of the caller's.
type countingClient struct{ requests int }

func (c *countingClient) Do(request *http.Request) (*http.Response, error) {
	c.requests++
	return http.DefaultClient.Do(request)
}

func TestOpen_HTTPClient_IsUsed(t *testing.T) {
	isolate(t)
	client := &countingClient{}
	opts := forOpen(t, Options{})
	opts.HTTPClient = client
	store, err := Open(t.Context(), freshTable(t), opts)
	require.NoError(t, err)
	require.NoError(t, store.CheckAvailability(t.Context()))
	require.Equal(t, 2, client.requests, "the look at the table, and the check")
	require.NoError(t, store.Close())
	http.DefaultClient.CloseIdleConnections()
}

// A client of the caller's keeps its own settings.
func TestNew_ClientIsLeftAlone(t *testing.T) {
	client, table := bareClient(t), freshTable(t)
	before := client.Options()
	store, err := New(t.Context(), client, table, nil)
	require.NoError(t, err)
	require.NoError(t, store.CheckAvailability(t.Context()))
	require.NoError(t, store.Close())
	require.Equal(t, before.HTTPClient, client.Options().HTTPClient)
	require.Equal(t, before.Retryer, client.Options().Retryer)
	_, err = client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	require.NoError(t, err)
}
