package synchronizer_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/dynamostore"
	"github.com/cleatdev/cleat/redisstore"
	"github.com/cleatdev/cleat/sqlitestore"
)

// target names a real database and where in it the big segments are. Any process can open it.
type target struct {
	Kind    string
	Address string // of the server, or the path of the file
	Name    string // the prefix, or the table
}

// targets makes a target on every database, under a name of its own.
func targets() map[string]func(t *testing.T) target {
	return map[string]func(t *testing.T) target{
		"sqlite": func(t *testing.T) target {
			t.Helper()
			return target{"sqlite", filepath.Join(t.TempDir(), "flags.db"), ""}
		},
		"redis": func(t *testing.T) target {
			t.Helper()
			return target{"redis", containers.Redis(t), freshPrefix()}
		},
		"redis cluster": func(t *testing.T) target { // under a prefix without a hash tag
			t.Helper()
			return target{"redis", containers.RedisCluster(t), freshPrefix()}
		},
		"consul": func(t *testing.T) target {
			t.Helper()
			return target{"consul", containers.Consul(t), freshPrefix()}
		},
		"dynamodb": func(t *testing.T) target {
			t.Helper()
			endpoint, table := containers.DynamoDB(t), freshPrefix()
			client := dynamodb.New(dynamodb.Options{
				Region: "local", BaseEndpoint: aws.String(endpoint), Credentials: dynamoCredentials(),
			})
			require.NoError(t, dynamostore.CreateTable(t.Context(), client, table))
			return target{"dynamodb", endpoint, table}
		},
	}
}

func freshPrefix() string { return "test-" + strings.ToLower(rand.Text()) }

func dynamoCredentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("test", "test", "")
}

func (g target) open(ctx context.Context) (store, error) {
	switch g.Kind {
	case "sqlite":
		return sqlitestore.NewBigSegments(ctx, g.Address, nil)
	case "redis":
		return redisstore.OpenBigSegments(ctx, g.Address, &redisstore.Options{Prefix: g.Name})
	case "consul":
		return consulstore.OpenBigSegments(ctx, &consulstore.Options{Address: g.Address, Prefix: g.Name})
	case "dynamodb":
		return dynamostore.OpenBigSegments(ctx, g.Name,
			&dynamostore.Options{Region: "local", Endpoint: g.Address, Credentials: dynamoCredentials(), Prefix: "p"})
	default:
		return nil, fmt.Errorf("no database %q", g.Kind)
	}
}

func (g target) mustOpen(t *testing.T) store {
	t.Helper()
	opened, err := g.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	return opened
}
