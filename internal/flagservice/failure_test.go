package flagservice

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func TestUnexpected_Status(t *testing.T) {
	for status := 100; status < 600; status++ {
		want := status >= 400 && status < 500 && status != 400 && status != 408 && status != 429
		err := fmt.Errorf("wrapped: %w", &StatusError{Status: status})
		require.Equal(t, want, Unexpected(err), status)
		require.Equal(t, core.DataSourceErrorResponse, Describe(err).Kind)
		require.Equal(t, status, Describe(err).HTTPStatus)
	}
	require.False(t, Unexpected(errors.New("whatever")))
}

func TestUnexpected_CertificateThatIsNotTrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	endpoint, err := NewEndpoint(core.ClientSettings{HTTPClient: &http.Client{}}.WithDefaults(), server.URL, "all", "")
	require.NoError(t, err)
	_, err = endpoint.Get(t.Context(), nil) //nolint:bodyclose // there is none
	require.True(t, Unexpected(err), err)
	require.Equal(t, core.DataSourceErrorNetwork, Describe(err).Kind)
}

func TestDescribe_ShowsNoURL(t *testing.T) {
	inner := &url.Error{Op: "Get", URL: "http://user:secret@host/?token=secret", Err: errors.New("refused")}
	for _, err := range []error{inner, &url.Error{Op: "Get", URL: "http://secret", Err: inner}, fmt.Errorf("secret: %w", inner)} {
		require.Equal(t, "refused", Describe(err).Message)
	}
}

func TestDescribe_Kind(t *testing.T) {
	require.Equal(t, core.DataSourceErrorInvalidData, Describe(invalid(errors.New("x"))).Kind)
	require.Equal(t, core.DataSourceErrorNetwork, Describe(errors.New("x")).Kind)
}

func TestCause_SaysWhyTheContextEnded(t *testing.T) {
	failure, reason := errors.New("failure"), errors.New("reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	require.Equal(t, failure, Cause(ctx, failure))
	cancel(reason)
	require.Equal(t, reason, Cause(ctx, failure))
	require.NoError(t, Cause(ctx, nil))
}
