package dynamostore

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

// One endpoint serves tables and streams unless it is one of AWS.
func TestStreamsClient_Endpoint(t *testing.T) {
	for endpoint, own := range map[string]bool{
		"http://localhost:8000":                                             true,
		"http://[::1]:8000":                                                 true,
		"https://dynamodb.example.com":                                      true,
		"https://amazonaws.com.example.com":                                 true,
		"https://dynamodb.eu-central-1.amazonaws.com":                       false,
		"https://DynamoDB.cn-north-1.amazonaws.com.cn":                      false,
		"https://dynamodb.eu-central-1.api.aws":                             false,
		"https://vpce-1.dynamodb.eu-central-1.vpce.amazonaws.com:443/x?y=z": false,
	} {
		client := dynamodb.New(dynamodb.Options{
			Region: region, BaseEndpoint: &endpoint, Credentials: testCredentials(), AppID: "app",
			EndpointOptions: dynamodb.EndpointResolverOptions{UseFIPSEndpoint: aws.FIPSEndpointStateEnabled},
			HTTPClient:      http.DefaultClient,
		})
		got := makeSession(client, "table", Options{}, nil).streamsClient()
		o := got.Options()
		require.Equal(t, region, o.Region)
		require.Equal(t, "app", o.AppID)
		require.Equal(t, aws.FIPSEndpointStateEnabled, o.EndpointOptions.UseFIPSEndpoint)
		require.Equal(t, http.DefaultClient, o.HTTPClient)
		require.NotNil(t, o.Credentials)
		if own {
			require.Equal(t, endpoint, aws.ToString(o.BaseEndpoint))
			require.Equal(t, DefaultWatchIntervalElsewhere, watchInterval(Options{}, got), endpoint)
		} else {
			require.Nil(t, o.BaseEndpoint, endpoint)
			require.Zero(t, watchInterval(Options{}, got), endpoint)
		}
		require.Equal(t, time.Minute, watchInterval(Options{WatchInterval: time.Minute}, got))
	}
}

// Open takes the endpoint for streams from the options, the environment, or the one for tables, in this order.
func TestStreamsClient_Open(t *testing.T) {
	isolate(t)
	endpoint := func(opts Options) string {
		opts.Region, opts.Credentials = region, testCredentials()
		store, err := Open(t.Context(), "table", &opts)
		require.NoError(t, err)
		defer func() { require.NoError(t, store.Close()) }()
		return aws.ToString(store.session.streamsClient().Options().BaseEndpoint)
	}
	require.Empty(t, endpoint(Options{}))
	require.Equal(t, "http://option:1", endpoint(Options{Endpoint: "http://option:1"}))
	require.Empty(t, endpoint(Options{Endpoint: "https://dynamodb.eu-central-1.amazonaws.com"}))
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://tables:1")
	require.Equal(t, "http://tables:1", endpoint(Options{}))
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://streams:1")
	require.Equal(t, "http://streams:1", endpoint(Options{}))
	require.Equal(t, "http://option:1", endpoint(Options{Endpoint: "http://option:1"}))
}

// A client for streams that is given is used, and left alone.
func TestStreamsClient_Given_IsUsed(t *testing.T) {
	counting := &countingClient{}
	streams := dynamodbstreams.New(dynamodbstreams.Options{
		Region: region, BaseEndpoint: aws.String(containers.DynamoDB(t)), Credentials: testCredentials(), HTTPClient: counting,
	})
	store := newStore(t, bareClient(t), freshStreamingTable(t), Options{Streams: streams, WatchInterval: time.Millisecond})
	changes, ended := make(chan core.Change, 1000), make(chan error, 1)
	go func() { ended <- store.Watch(context.Background(), func(c core.Change) { changes <- c }) }()
	require.Equal(t, core.Change{}, nextChange(t, changes))
	upsert(t, store, "a", item("a", 1))
	require.Equal(t, core.Change{Kind: core.Flags, Key: "a"}, nextChange(t, changes))
	require.NoError(t, store.Close())
	require.ErrorIs(t, <-ended, core.ErrClosed)
	require.Greater(t, counting.requests, 3)
	require.Equal(t, counting, streams.Options().HTTPClient)
	http.DefaultClient.CloseIdleConnections()
}
