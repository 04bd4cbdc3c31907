package dynamostore

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/internal/storetest"
)

const region = "eu-central-1"

func testCredentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("test", "test-secret", "")
}

// bareClient is the driver alone, on the shared server.
func bareClient(t testing.TB) *dynamodb.Client {
	t.Helper()
	return clientFor(t, containers.DynamoDB(t), nil)
}

// clientFor makes a client that sends its requests through wrap, if it is not nil, and repeats none of them.
func clientFor(t testing.TB, endpoint string, wrap func(http.RoundTripper) http.RoundTripper) *dynamodb.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: idleConnections}
	t.Cleanup(transport.CloseIdleConnections)
	var tripper http.RoundTripper = transport
	if wrap != nil {
		tripper = wrap(transport)
	}
	return dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: &endpoint, Credentials: testCredentials(), Retryer: aws.NopRetryer{},
		HTTPClient: wholeBody{&http.Client{Transport: tripper}},
	})
}

// freshTable makes a table that no other test uses.
func freshTable(t testing.TB) string {
	t.Helper()
	client, table := bareClient(t), "test-"+rand.Text()
	require.NoError(t, CreateTable(t.Context(), client, table))
	t.Cleanup(func() {
		_, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table})
		require.NoError(t, err)
	})
	return table
}

// recreate empties a table.
func recreate(t testing.TB, client *dynamodb.Client, table string) {
	t.Helper()
	_, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table})
	require.NoError(t, err)
	require.NoError(t, CreateTable(context.Background(), client, table))
}

// forOpen adds what a store with a client of its own needs to find the shared server.
func forOpen(t testing.TB, opts Options) *Options {
	t.Helper()
	opts.Region, opts.Endpoint, opts.Credentials = region, containers.DynamoDB(t), testCredentials()
	opts.Logger = slog.New(slog.DiscardHandler)
	return &opts
}

func openStore(t testing.TB, table string, opts Options) *Store {
	t.Helper()
	store, err := Open(t.Context(), table, forOpen(t, opts))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func newStore(t testing.TB, client *dynamodb.Client, table string, opts Options) *Store {
	t.Helper()
	store, err := New(t.Context(), client, table, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

func set(members ...string) types.AttributeValue {
	return &types.AttributeValueMemberSS{Value: members}
}

// rawItem reads an item with the bare driver.
func rawItem(t testing.TB, client *dynamodb.Client, table, namespace, key string) attributes {
	t.Helper()
	output, err := client.GetItem(context.Background(), &dynamodb.GetItemInput{
		TableName: &table, Key: primaryKey{namespace, key}.attributes(), ConsistentRead: aws.Bool(true),
	})
	require.NoError(t, err)
	return output.Item
}

// putRaw writes an item with the bare driver.
func putRaw(t testing.TB, client *dynamodb.Client, table, namespace, key string, others attributes) {
	t.Helper()
	all := primaryKey{namespace, key}.attributes()
	for name, value := range others {
		all[name] = value
	}
	_, err := client.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &table, Item: all})
	require.NoError(t, err)
}

// count returns how many items a namespace has.
func count(t testing.TB, client *dynamodb.Client, table, namespace string) int {
	t.Helper()
	session := makeSession(client, table, Options{}, nil)
	n := 0
	require.NoError(t, session.each(context.Background(), namespace, true, func(string, attributes) { n++ }))
	return n
}

// within returns a context that ends soon, as that of every call does.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// lockedBuilder is an io.Writer for several goroutines.
type lockedBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// startProxy starts a faulty way to the shared server.
func startProxy(t testing.TB) *storetest.Proxy {
	t.Helper()
	server, err := url.Parse(containers.DynamoDB(t))
	require.NoError(t, err)
	return storetest.StartProxy(t, server.Host)
}
