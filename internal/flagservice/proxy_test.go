package flagservice

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// answerOf returns what a request comes to that is answered with the status and the content type.
func answerOf(t *testing.T, status int, contentType string) (*http.Response, error) {
	t.Helper()
	client := &http.Client{Transport: transport(func(*http.Request) *http.Response {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader("x")),
		}
	})}
	return newEndpoint(t, client, "http://h", "").Get(t.Context(), nil)
}

func TestEndpoint_Get_AnswerOfAProxyIsSaidToBeTheProxys(t *testing.T) {
	for _, test := range []struct {
		status      int
		contentType string
		advice      string
	}{
		{http.StatusProxyAuthRequired, "text/plain", "password"},
		{http.StatusForbidden, "text/html", "lets through"},
		{http.StatusBadGateway, "text/html; charset=utf-8", ""},
		{http.StatusServiceUnavailable, "text/html", ""},
		{http.StatusGatewayTimeout, "text/html", ""},
	} {
		_, err := answerOf(t, test.status, test.contentType) //nolint:bodyclose // there is none
		require.ErrorContains(t, err, "proxy")
		require.ErrorContains(t, err, "answered "+strconv.Itoa(test.status))
		require.ErrorContains(t, err, test.advice)
		require.NotContains(t, err.Error(), "SDK key")
		require.False(t, Unexpected(err), "the way may be free again soon")
		require.Equal(t, core.DataSourceErrorNetwork, Describe(err).Kind, "and not what the flag service says of the key")
	}
	_, err := answerOf(t, http.StatusOK, "text/html") //nolint:bodyclose // there is none
	require.ErrorIs(t, err, ErrInvalidData)
	require.ErrorContains(t, err, "proxy")
}

func TestEndpoint_Get_AnswerOfTheServiceIsReturned(t *testing.T) {
	for _, test := range []struct {
		status      int
		contentType string
	}{
		{http.StatusOK, "application/json"},
		{http.StatusForbidden, "application/json"},
		{http.StatusForbidden, ""},
		{http.StatusServiceUnavailable, "text/plain"},
		{http.StatusUnauthorized, "text/html"},
		{http.StatusNotFound, "text/html"},
	} {
		response, err := answerOf(t, test.status, test.contentType)
		require.NoError(t, err)
		require.Equal(t, test.status, response.StatusCode)
		require.NoError(t, response.Body.Close())
	}
}
