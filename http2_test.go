package cleat

import (
	"crypto/x509"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/internal/httptransport"
	"github.com/cleatdev/cleat/internal/mockhttp"
	"github.com/cleatdev/cleat/internal/mockservice"
)

// noticed is within what time a client is to be back after its connections have been lost: the connection is given up, and
// what was under way is tried again.
const noticed = httptransport.Silence + httptransport.Patience + 5*time.Second

// inRemoteService runs a test in virtual time with a service behind HTTP/2 and a configuration whose HTTP client is that of
// a default client, except that its connections exist in memory.
func inRemoteService(
	t *testing.T, test func(t *testing.T, service *mockservice.Service, remote *mockhttp.Remote, config Config),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		service := mockservice.New(t)
		service.SetData(oneFlag)
		remote := mockhttp.NewRemote(t, service)
		client, err := (&HTTPOptions{}).newClient(nil)
		require.NoError(t, err)
		transport := client.Transport.(*http.Transport)
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		require.True(t, transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(remote.CertificatePEM()))
		transport.DialContext = remote.Dial
		t.Cleanup(transport.CloseIdleConnections)
		config := serviceConfig(service)
		config.Endpoints = core.ServiceEndpoints{
			Streaming: mockhttp.RemoteURL, Polling: mockhttp.RemoteURL, Events: mockhttp.RemoteURL,
		}
		config.HTTP.Transport = transport
		test(t, service, remote, config)
	})
}

const flagOff = `{"flags":{"a":{"key":"a","version":2,"on":false,"offVariation":0,"variations":[false]}},"segments":{}}`

func TestClient_HTTP2ConnectionIsLost_StreamRecovers(t *testing.T) {
	inRemoteService(t, func(t *testing.T, service *mockservice.Service, remote *mockhttp.Remote, config Config) {
		client := newServiceClient(t, config)
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		time.Sleep(10 * time.Second)
		dials := remote.Dials()
		time.Sleep(time.Minute)
		require.Equal(t, dials, remote.Dials(), "a connection that is silent and alive is kept")
		remote.LoseConnections()
		service.SetData(flagOff)
		time.Sleep(noticed)
		require.False(t, client.BoolVariation(t.Context(), "a", user, true))
		require.Equal(t, core.DataSourceValid, client.DataSourceStatus().Status().State)
	})
}

func TestClient_HTTP2ConnectionIsLost_PollsRecover(t *testing.T) {
	inRemoteService(t, func(t *testing.T, service *mockservice.Service, remote *mockhttp.Remote, config Config) {
		config.DataSource = polling.Source(polling.Options{})
		client := newServiceClient(t, config)
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		remote.LoseConnections()
		service.SetData(flagOff)
		time.Sleep(noticed + polling.DefaultInterval)
		require.False(t, client.BoolVariation(t.Context(), "a", user, true))
		require.Equal(t, core.DataSourceValid, client.DataSourceStatus().Status().State)
	})
}

func TestClient_HTTP2ConnectionIsLost_EventsRecover(t *testing.T) {
	inRemoteService(t, func(t *testing.T, service *mockservice.Service, remote *mockhttp.Remote, config Config) {
		config.DataSource = polling.Source(polling.Options{Interval: time.Hour}) // so that events alone use the connection
		client := newServiceClient(t, config)
		require.NoError(t, client.Track(t.Context(), "before", user))
		time.Sleep(10 * time.Second)
		require.Contains(t, kindsOf(deliveredEvents(t, service)), "custom")
		remote.LoseConnections()
		time.Sleep(noticed)
		require.NoError(t, client.Track(t.Context(), "after", ldcontext.New("other")))
		time.Sleep(10 * time.Second)
		events := deliveredEvents(t, service)
		require.Equal(t, "after", events[len(events)-1]["key"])
	})
}

func TestHTTPOptions_ByDefault_SpeaksHTTP2(t *testing.T) {
	inRemoteService(t, func(t *testing.T, _ *mockservice.Service, _ *mockhttp.Remote, config Config) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, mockhttp.RemoteURL+mockservice.PollPath, http.NoBody)
		require.NoError(t, err)
		response, err := config.HTTP.Transport.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, "HTTP/2.0", response.Proto)
	})
}
