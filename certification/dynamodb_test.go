package certification

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/dynamostore"
	"github.com/cleatdev/cleat/internal/storetest"
)

const dynamoRegion = "eu-central-1"

// dynamoServer is a table of DynamoDB Local of its own, behind a front.
type dynamoServer struct {
	*server

	table string
	bare  *dynamodb.Client
	front *front
}

func (d *dynamoServer) before() *front { return d.front }

func startDynamoDB(t testing.TB) *dynamoServer {
	t.Helper()
	endpoint := containers.DynamoDB(t)
	host, secret := strings.TrimPrefix(endpoint, "http://"), "secret-"+rand.Text()
	provider := credentials.NewStaticCredentialsProvider("certify", secret, "")
	d := &dynamoServer{table: randomPrefix(), front: startFront(t, host), bare: dynamodb.New(dynamodb.Options{
		Region: dynamoRegion, BaseEndpoint: &endpoint, Credentials: provider,
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Logger:     logging.Nop{}, // DynamoDB Local sends no checksums with its errors
	})}
	if err := dynamostore.CreateTable(context.Background(), d.bare, d.table); err != nil {
		t.Fatalf("creating a table: %v", err)
	}
	t.Cleanup(func() {
		_, _ = d.bare.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &d.table})
	})
	d.server = &server{
		proxy: storetest.StartProxy(t, d.front.address), address: host, secrets: []string{secret},
		open: func(t testing.TB, address, prefix string, logger *slog.Logger) adapter {
			store, err := dynamostore.Open(t.Context(), d.table, &dynamostore.Options{
				Prefix: prefix, Region: dynamoRegion, Endpoint: "http://" + address, Credentials: provider, Logger: logger,
			})
			if err != nil {
				t.Fatalf("opening a store: %v", err)
			}
			return store
		},
		read: d.read, write: d.write,
	}
	return d
}

func (d *dynamoServer) read(ctx context.Context, prefix string) (map[string]string, error) {
	flags := map[string]string{}
	pages := dynamodb.NewQueryPaginator(d.bare, &dynamodb.QueryInput{
		TableName: &d.table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("#n = :n"),
		ExpressionAttributeNames:  map[string]string{"#n": "namespace"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberS{Value: prefix + ":features"}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			key, isKey := item["key"].(*types.AttributeValueMemberS)
			data, isData := item["item"].(*types.AttributeValueMemberS)
			if !isKey || !isData {
				return nil, errors.New("an item of the table has no key or no JSON")
			}
			flags[key.Value] = data.Value
		}
	}
	return flags, nil
}

func (d *dynamoServer) write(ctx context.Context, prefix, key, data string) error {
	var flag struct{ Version int }
	if err := json.Unmarshal([]byte(data), &flag); err != nil {
		return err
	}
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	_, err := d.bare.PutItem(ctx, &dynamodb.PutItemInput{TableName: &d.table, Item: map[string]types.AttributeValue{
		"namespace": text(prefix + ":features"), "key": text(key), "item": text(data),
		"version": &types.AttributeValueMemberN{Value: strconv.Itoa(flag.Version)},
	}})
	return err
}

// dynamoError is the body of an error of DynamoDB.
func dynamoError(code, message string) string {
	return `{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"` + message + `"}`
}

// writes reports whether a request writes.
func writes(r *http.Request) bool {
	target := r.Header.Get("X-Amz-Target")
	return slices.ContainsFunc([]string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}, func(operation string) bool {
		return strings.HasSuffix(target, "."+operation)
	})
}

// dynamoInjections are all injections of DynamoDB.
func dynamoInjections() []injection {
	start := func(t testing.TB) (*dynamoServer, *server) { d := startDynamoDB(t); return d, d.server }
	throttled := dynamoError("ProvisionedThroughputExceededException", "The level of configured provisioned throughput was exceeded")
	denied := dynamoError("AccessDeniedException", "User is not authorized to perform this operation")
	missing := dynamoError("ResourceNotFoundException", "Requested resource not found")
	onlyWrites := Expectations{WritesFailed: true}
	return slices.Concat(
		injections("dynamodb", []fault[*dynamoServer]{
			answers[*dynamoServer]("throttled", outage, Expectations{}, answer{http.StatusBadRequest, throttled, nil}),
			answers[*dynamoServer]("writes throttled", partial, onlyWrites, answer{http.StatusBadRequest, throttled, writes}),
			answers[*dynamoServer]("500", outage, Expectations{}, answer{http.StatusInternalServerError, dynamoError("InternalServerError", "x"), nil}),
			answers[*dynamoServer]("503", outage, Expectations{}, answer{http.StatusServiceUnavailable, "<html>unavailable</html>", nil}),
			answers[*dynamoServer]("garbage with 200", outage, Expectations{}, answer{http.StatusOK, "<html>garbage</html>", nil}),
			answers[*dynamoServer]("access denied", outage, Expectations{}, answer{http.StatusBadRequest, denied, nil}),
			answers[*dynamoServer]("writes denied", partial, onlyWrites, answer{http.StatusBadRequest, denied, writes}),
			answers[*dynamoServer]("table missing", outage, Expectations{}, answer{http.StatusBadRequest, missing, nil}),
		}, start),
		injections("dynamodb", networkFaults(), func(t testing.TB) (*server, *server) { d := startDynamoDB(t); return d.server, d.server }),
	)
}
