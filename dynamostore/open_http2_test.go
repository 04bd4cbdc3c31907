package dynamostore

import (
	"context"
	"crypto/x509"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/httptransport"
	"github.com/cleatdev/cleat/internal/lifecycle"
	"github.com/cleatdev/cleat/internal/mockhttp"
)

// The HTTP client that Open makes speaks HTTP/2 with an endpoint that does, and gives up a connection that was lost. No
// request of the database's is made, so that time can be virtual.
func TestOpen_HTTP2ConnectionIsLost_IsReplaced(t *testing.T) {
	isolate(t)
	synctest.Test(t, func(t *testing.T) {
		remote := mockhttp.NewRemote(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
		s, err := openSession(t.Context(), "table", &Options{
			Region: region, Endpoint: mockhttp.RemoteURL, Credentials: testCredentials(),
		})
		require.NoError(t, err)
		t.Cleanup(s.release)
		client := s.client.Options().HTTPClient.(*http.Client)
		transport := client.Transport.(*http.Transport)
		transport.DialContext = remote.Dial
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		require.True(t, transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(remote.CertificatePEM()))

		protocol, err := ask(t, client)
		require.NoError(t, err)
		require.Equal(t, "HTTP/2.0", protocol)
		remote.LoseConnections()
		_, err = ask(t, client)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(httptransport.Silence + httptransport.Patience)
		_, err = ask(t, client)
		require.NoError(t, err)
		require.Equal(t, 2, remote.Dials())
	})
}

// ask makes a request with the time that a read has, and returns by which protocol it was answered.
func ask(t *testing.T, client *http.Client) (protocol string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), lifecycle.DefaultRead)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, mockhttp.RemoteURL, http.NoBody)
	require.NoError(t, err)
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	return response.Proto, response.Body.Close()
}
