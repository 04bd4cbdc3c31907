package endtoend

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/dynamostore"
)

const dynamoRegion = "eu-central-1"

func dynamoCredentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("test", "test-secret", "")
}

type dynamoItem = map[string]types.AttributeValue

// dynamoTables are two tables with the bare driver. Only the modes that watch use the one with a stream, because DynamoDB
// Local makes those who write to it wait.
type dynamoTables struct {
	client             *dynamodb.Client
	plain, withAStream string
}

func newDynamoTables(t *testing.T) *dynamoTables {
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	endpoint := containers.DynamoDB(t)
	d := &dynamoTables{
		plain: "test-" + rand.Text(), withAStream: "test-" + rand.Text(),
		client: dynamodb.New(dynamodb.Options{
			Region: dynamoRegion, BaseEndpoint: &endpoint, Credentials: dynamoCredentials(),
			HTTPClient: &http.Client{Transport: transport},
			Logger:     logging.Nop{}, // DynamoDB Local gets the checksums of its errors wrong.
		}),
	}
	for _, table := range []string{d.plain, d.withAStream} {
		d.create(t, table)
		t.Cleanup(func() { d.remove(t, table) })
	}
	return d
}

func (d *dynamoTables) create(t testing.TB, table string) {
	t.Helper()
	options := &dynamostore.TableOptions{Stream: table == d.withAStream, Timeout: 2 * time.Minute}
	require.NoError(t, dynamostore.CreateTable(context.Background(), d.client, table, options))
}

func (d *dynamoTables) remove(t testing.TB, table string) {
	t.Helper()
	_, err := d.client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table})
	require.NoError(t, err)
}

// tableFor returns the table for a subtest.
func (d *dynamoTables) tableFor(t testing.TB) string {
	if strings.Contains(t.Name(), "Watched/") {
		return d.withAStream
	}
	return d.plain
}

func (d *dynamoTables) get(t testing.TB, namespace, key string) dynamoItem {
	t.Helper()
	output, err := d.client.GetItem(context.Background(), &dynamodb.GetItemInput{
		TableName: aws.String(d.tableFor(t)), ConsistentRead: aws.Bool(true), Key: dynamoKey(namespace, key),
	})
	require.NoError(t, err)
	return output.Item
}

func dynamoKey(namespace, key string) dynamoItem {
	return dynamoItem{
		"namespace": &types.AttributeValueMemberS{Value: namespace}, "key": &types.AttributeValueMemberS{Value: key},
	}
}

func (d *dynamoTables) write(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
	version := 0
	if item, err := core.ParseItem(data); err == nil {
		version = item.Version()
	}
	item := dynamoKey(prefix+":"+string(kind), key)
	item["version"] = &types.AttributeValueMemberN{Value: strconv.Itoa(version)}
	item["item"] = &types.AttributeValueMemberS{Value: string(data)}
	_, err := d.client.PutItem(context.Background(), &dynamodb.PutItemInput{
		TableName: aws.String(d.tableFor(t)), Item: item,
	})
	require.NoError(t, err)
}

func (d *dynamoTables) read(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
	item, found := d.get(t, prefix+":"+string(kind), key)["item"].(*types.AttributeValueMemberS)
	if !found {
		return nil, false
	}
	return []byte(item.Value), true
}

func (d *dynamoTables) readBigSegments(t testing.TB, prefix, hash string) (included, excluded []string) {
	item := d.get(t, prefix+":big_segments_user", hash)
	refs := func(attribute string) []string {
		if set, found := item[attribute].(*types.AttributeValueMemberSS); found {
			return set.Value
		}
		return nil
	}
	return refs("included"), refs("excluded")
}

func (d *dynamoTables) options(t testing.TB, prefix string) *dynamostore.Options {
	return &dynamostore.Options{
		Prefix: prefix, Region: dynamoRegion, Endpoint: containers.DynamoDB(t), Credentials: dynamoCredentials(),
		Logger: slog.New(slog.DiscardHandler), // DynamoDB Local gets the checksums of its errors wrong.
	}
}

func dynamoHarness(t *testing.T) Harness {
	d := newDynamoTables(t)
	return Harness{
		Harness: conformance.Harness{
			Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
				s, err := dynamostore.Open(t.Context(), d.tableFor(t), d.options(t, prefix))
				require.NoError(t, err)
				return s
			},
			OpenBigSegments: func(t testing.TB, prefix string) core.BigSegmentStore {
				s, err := dynamostore.OpenBigSegments(t.Context(), d.tableFor(t), d.options(t, prefix))
				require.NoError(t, err)
				return s
			},
			WriteRaw: d.write,
			ReadRaw:  d.read,
			Wipe: func(t testing.TB) {
				d.remove(t, d.tableFor(t))
				d.create(t, d.tableFor(t))
			},
			Capabilities: conformance.Capabilities{Watcher: true},
		},
		ReadBigSegments: d.readBigSegments,
	}
}

func TestRun_DynamoStore_Passes(t *testing.T) {
	t.Parallel()
	Run(t, dynamoHarness(t))
}
