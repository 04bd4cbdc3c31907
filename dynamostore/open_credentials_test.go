package dynamostore

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// credentialsFrom opens a store whose credentials come from an endpoint, as those of a container do.
func credentialsFrom(t *testing.T, table string, endpoint http.HandlerFunc) *Store {
	t.Helper()
	isolate(t)
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.URL)
	store, err := Open(t.Context(), table, &Options{
		Region: region, Endpoint: containers.DynamoDB(t), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func giveCredentials(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"AccessKeyId":"test","SecretAccessKey":"test-secret","Token":"t","Expiration":%q}`,
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// A request for credentials that is never answered does not block the store for good.
func TestOpen_CredentialsRequestHangs_Heals(t *testing.T) {
	table := freshTable(t)
	ended := make(chan struct{})
	defer close(ended)
	var requests atomic.Int32
	store := credentialsFrom(t, table, func(w http.ResponseWriter, request *http.Request) {
		if requests.Add(1) == 1 {
			select {
			case <-ended:
			case <-request.Context().Done():
			}
			return
		}
		giveCredentials(w)
	})
	require.Equal(t, context.DeadlineExceeded, store.CheckAvailability(within(t, 100*time.Millisecond)))
	require.Eventually(t, func() bool {
		return store.CheckAvailability(within(t, time.Second)) == nil
	}, 6*credentialsTime, 10*time.Millisecond)
}

// What the endpoint for credentials answers instead of them is said, is never taken for an answer about the table, and shows
// nothing that may be secret.
func TestOpen_CredentialsRefused_SaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		contentType, body, want string
	}{
		"nothing":      {"text/plain", "", "the endpoint for credentials answered with HTTP status 403"},
		"no text":      {"application/json", "{}", "the endpoint for credentials answered with HTTP status 403"},
		"text":         {"text/plain", "theSecret", "the endpoint for credentials answered with HTTP status 403"},
		"a code":       {"application/json", `{"code":"AccessDeniedException","message":"no role"}`, "status 403: AccessDeniedException: no role"},
		"another code": {"application/json", `{"code":"ValidationException","message":"no role"}`, "status 403: ValidationException: no role"},
	} {
		t.Run(name, func(t *testing.T) {
			store := credentialsFrom(t, "table", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte(test.body))
			})
			_, err := store.Upsert(t.Context(), core.Flags, "a", storetest.Item("a", 1))
			require.ErrorIs(t, err, core.ErrUnavailable)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "theSecret")
		})
	}
}
