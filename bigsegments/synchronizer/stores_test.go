package synchronizer_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/dynamostore"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
	"github.com/cleatdev/cleat/redisstore"
	"github.com/cleatdev/cleat/sqlitestore"
)

// What synchronisers do that are interrupted again and again holds on every real database.
func TestSynchronizer_EveryStore(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (store, error){
		"sqlite": func(t *testing.T) (store, error) {
			return sqlitestore.NewBigSegments(t.Context(), filepath.Join(t.TempDir(), "flags.db"), nil)
		},
		"redis": func(t *testing.T) (store, error) {
			return redisstore.OpenBigSegments(t.Context(), containers.Redis(t), &redisstore.Options{Prefix: freshPrefix()})
		},
		"consul": func(t *testing.T) (store, error) {
			return consulstore.OpenBigSegments(t.Context(),
				&consulstore.Options{Address: containers.Consul(t), Prefix: freshPrefix()})
		},
		"dynamodb": openDynamoDB,
	} {
		t.Run(name, func(t *testing.T) {
			opened, err := open(t)
			require.NoError(t, err)
			defer func() { require.NoError(t, opened.Close()) }()
			interruptAgainAndAgain(t, &observed{store: opened})
		})
	}
}

func freshPrefix() string { return "test-" + rand.Text() }

func openDynamoDB(t *testing.T) (store, error) {
	t.Helper()
	provider := credentials.NewStaticCredentialsProvider("test", "test", "")
	endpoint := containers.DynamoDB(t)
	client := dynamodb.New(dynamodb.Options{Region: "local", BaseEndpoint: aws.String(endpoint), Credentials: provider})
	table := freshPrefix()
	if err := dynamostore.CreateTable(t.Context(), client, table, nil); err != nil {
		return nil, err
	}
	return dynamostore.OpenBigSegments(t.Context(), table,
		&dynamostore.Options{Region: "local", Endpoint: endpoint, Credentials: provider, Prefix: "p"})
}

func interruptAgainAndAgain(t *testing.T, s *observed) {
	t.Helper()
	service := mockbigsegments.New(t)
	server := httptest.NewServer(service)
	defer server.Close()
	defer service.Close() // ends the streams that the server would wait for
	h := newHistory(t, uint64(time.Now().UnixNano()))
	last := service.Publish(append(h.next(), h.next()...)...) // several patches that follow no version
	for range 9 {
		last = service.Publish(h.next()...)
	}
	for interruption := range 6 {
		var calls atomic.Int64
		interrupted := make(chan struct{}, 1)
		s.trouble(func(_ context.Context, operation string) error {
			if operation == "ApplyPatch" && calls.Add(1) > int64(interruption) {
				select {
				case interrupted <- struct{}{}:
				default:
				}
				return errors.New("interrupted")
			}
			return nil
		})
		killed, err := newLoopback(server.URL, s)
		require.NoError(t, err)
		killed.Start(t.Context())
		select {
		case <-interrupted:
		case <-time.After(patience):
			require.Fail(t, "nothing was applied")
		}
		stop(killed)
	}
	s.trouble(nil)
	survivor, err := newLoopback(server.URL, s)
	require.NoError(t, err)
	survivor.Start(t.Context())
	defer stop(survivor)
	require.Eventually(t, func() bool {
		cursor, err := s.Cursor(t.Context())
		return err == nil && cursor == last && len(s.marked()) > 0
	}, patience, 10*time.Millisecond)
	h.require(t, s)
}
