package ldbridge

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/dynamostore"
	"github.com/cleatdev/cleat/memorystore"
)

// database is one that the tests run on. An empty prefix means the default one of the stores.
type database struct {
	dataStore        func(prefix string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore]
	bigSegments      func(prefix string) subsystems.ComponentConfigurer[subsystems.BigSegmentStore]
	openStore        func(ctx context.Context, prefix string) (core.FeatureStoreCore, error)
	openBigSegments  func(ctx context.Context, prefix string) (core.BigSegmentStore, error)
	wipe             func(ctx context.Context) error                                       // removes everything
	failingDataStore func() subsystems.ComponentConfigurer[subsystems.PersistentDataStore] // each call of it fails
	failure          error                                                                 // with this
}

// onEveryDatabase runs a test on a database of each kind.
func onEveryDatabase(t *testing.T, test func(t *testing.T, db database)) {
	for name, open := range map[string]func(t *testing.T) database{
		"Memory": onMemory, "SQLite": onSQLite, "Redis": onRedis, "Consul": onConsul, "DynamoDB": onDynamoDB,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// onMemory has no URL that several stores could share, and so shows the configurers that take a function.
func onMemory(*testing.T) database {
	var db memorystore.Database
	open := func(_ context.Context, prefix string) (*memorystore.Store, error) {
		return memorystore.New(&db, &memorystore.Options{Prefix: prefix}), nil
	}
	openBigSegments := func(_ context.Context, prefix string) (*memorystore.BigSegments, error) {
		return memorystore.NewBigSegments(&db, &memorystore.Options{Prefix: prefix}), nil
	}
	return database{
		dataStore: func(prefix string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
			return DataStore(func(ctx context.Context) (*memorystore.Store, error) { return open(ctx, prefix) }, nil)
		},
		bigSegments: func(prefix string) subsystems.ComponentConfigurer[subsystems.BigSegmentStore] {
			return BigSegmentStore(func(ctx context.Context) (*memorystore.BigSegments, error) {
				return openBigSegments(ctx, prefix)
			}, nil)
		},
		openStore: func(ctx context.Context, prefix string) (core.FeatureStoreCore, error) { return open(ctx, prefix) },
		openBigSegments: func(ctx context.Context, prefix string) (core.BigSegmentStore, error) {
			return openBigSegments(ctx, prefix)
		},
		wipe: func(context.Context) error { db.Wipe(); return nil },
		failingDataStore: func() subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
			return closedStore(func(ctx context.Context) (core.FeatureStoreCore, error) { return open(ctx, "") })
		},
		failure: core.ErrUnavailable,
	}
}

// closedStore configures a store that has been closed.
func closedStore(
	open func(context.Context) (core.FeatureStoreCore, error),
) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
	return DataStore(func(ctx context.Context) (core.FeatureStoreCore, error) {
		store, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return store, store.Close()
	}, nil)
}

// atURL is the database at the URL that base returns with the given parameters.
func atURL(base func(parameters url.Values) string, unreachable string, wipe func(ctx context.Context) error) database {
	at := func(prefix string) string {
		parameters := url.Values{}
		if prefix != "" {
			parameters.Set("prefix", prefix)
		}
		return base(parameters)
	}
	return database{
		dataStore: func(prefix string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
			return DataStoreURL(all.Registry(), at(prefix))
		},
		bigSegments: func(prefix string) subsystems.ComponentConfigurer[subsystems.BigSegmentStore] {
			return BigSegmentStoreURL(all.Registry(), at(prefix))
		},
		openStore: func(ctx context.Context, prefix string) (core.FeatureStoreCore, error) {
			backend, err := all.Registry().Open(ctx, at(prefix))
			return backend.Store, err
		},
		openBigSegments: func(ctx context.Context, prefix string) (core.BigSegmentStore, error) {
			backend, err := all.Registry().OpenBigSegments(ctx, at(prefix))
			return backend.Store, err
		},
		wipe: wipe,
		failingDataStore: func() subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
			return DataStoreURL(all.Registry(), unreachable)
		},
		failure: core.ErrUnavailable,
	}
}

func onSQLite(t *testing.T) database {
	path := filepath.Join(t.TempDir(), "flags.db")
	db := atURL(func(parameters url.Values) string { return "sqlite://" + path + "?" + parameters.Encode() }, "",
		func(context.Context) error { path = filepath.Join(t.TempDir(), "flags.db"); return nil })
	db.failure = core.ErrUnavailable
	db.failingDataStore = func() subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
		return closedStore(func(ctx context.Context) (core.FeatureStoreCore, error) { return db.openStore(ctx, "") })
	}
	return db
}

func onRedis(t *testing.T) database {
	server := containers.Redis(t)
	parsed, err := redis.ParseURL(server)
	require.NoError(t, err)
	bare := redis.NewClient(parsed)
	t.Cleanup(func() { require.NoError(t, bare.Close()) })
	return atURL(func(parameters url.Values) string { return server + "?" + parameters.Encode() }, "redis://127.0.0.1:1",
		func(ctx context.Context) error { return bare.FlushAll(ctx).Err() })
}

func onConsul(t *testing.T) database {
	return consulAt(t, containers.Consul(t))
}

func consulAt(t *testing.T, address string) database {
	client := http.Client{Transport: new(http.Transport)}
	t.Cleanup(client.CloseIdleConnections)
	return atURL(func(parameters url.Values) string { return "consul://" + address + "?" + parameters.Encode() },
		"consul://127.0.0.1:1",
		func(ctx context.Context) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodDelete, "http://"+address+"/v1/kv/?recurse=true", nil)
			if err != nil {
				return err
			}
			response, err := client.Do(request)
			if err != nil {
				return err
			}
			return response.Body.Close()
		})
}

func onDynamoDB(t *testing.T) database {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
	const region = "eu-central-1"
	endpoint := containers.DynamoDB(t)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	client := dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: &endpoint, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test-secret", ""),
	})
	var table string
	wipe := func(ctx context.Context) error {
		table = "test-" + rand.Text()
		return dynamostore.CreateTable(ctx, client, table)
	}
	require.NoError(t, wipe(t.Context()))
	return atURL(func(parameters url.Values) string {
		parameters.Set("region", region)
		parameters.Set("endpoint", endpoint)
		return "dynamodb://" + table + "?" + parameters.Encode()
	}, "dynamodb://flags?region="+region+"&endpoint=http://127.0.0.1:1", wipe)
}
