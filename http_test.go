package cleat

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/internal/httptransport"
	"github.com/cleatdev/cleat/internal/mockhttp"
	"github.com/cleatdev/cleat/internal/mockservice"
	"github.com/cleatdev/cleat/internal/secrettest"
	"github.com/cleatdev/cleat/internal/tlstest"
)

// fetch gets a page and returns its body.
func fetch(t *testing.T, options HTTPOptions, url string) (string, error) {
	t.Helper()
	client, err := (&Config{HTTP: options}).newHTTPClient()
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body), nil
}

func hello(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func TestHTTPOptions_ProxyURL_GetsEveryRequest(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "proxy for "+r.URL.String()+" "+r.Header.Get("Proxy-Authorization"))
	}))
	defer proxy.Close()
	address := strings.Replace(proxy.URL, "http://", "http://user:password@", 1)
	body, err := fetch(t, HTTPOptions{ProxyURL: address}, "http://no-such-host.invalid/all")
	require.NoError(t, err)
	require.Equal(t, "proxy for http://no-such-host.invalid/all Basic dXNlcjpwYXNzd29yZA==", body)
}

func TestHTTPOptions_CAFile_IsTrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(hello("secure"))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, certificate, 0o600))

	_, err := fetch(t, HTTPOptions{}, server.URL)
	require.ErrorContains(t, err, "certificate", "a certificate of an unknown authority is refused by default")
	body, err := fetch(t, HTTPOptions{CAFile: file}, server.URL)
	require.NoError(t, err)
	require.Equal(t, "secure", body)
	body, err = fetch(t, HTTPOptions{InsecureSkipVerify: true}, server.URL)
	require.NoError(t, err)
	require.Equal(t, "secure", body)
}

// What is wrong with the service's certificate, and the setting that helps, if one does, is in the status of the data source and
// in the log: of data sources of both sorts, and of events.
func TestNew_ServicesCertificateIsRefused_SaysWhatToDo(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	valid, expired := tlstest.Listen(t, a.Issue(t, nil)), tlstest.Listen(t, a.Issue(t, tlstest.Expired))
	for name, source := range map[string]core.UpdateProcessorFactory{
		"streaming": streaming.Source(streaming.Options{}), "polling": polling.Source(polling.Options{}),
	} {
		for _, test := range []struct {
			trusted       *tlstest.Authority
			address, want string
		}{
			{other, valid, "is named by Config.HTTP.CAFile (http.ca_file in a configuration file, or CLEAT_HTTP_CA_FILE)"},
			{a, expired, "has been invalid since "},
		} {
			var log secrettest.Log
			uri := "https://" + test.address
			client, err := New(t.Context(), Config{
				SDKKey: "sdk-key", DataSource: source, HTTP: HTTPOptions{CAFile: test.trusted.File(t)}, Logger: log.Logger(), StartWait: -1,
				Endpoints: core.ServiceEndpoints{Streaming: uri, Polling: uri, Events: uri},
				Events:    events.Processor(events.Options{RetryDelay: time.Millisecond, DisableDiagnostics: true}),
			})
			require.NoError(t, err)
			message := func() string { return client.DataSourceStatus().Status().LastError.Message }
			eventually(t, func() bool { return message() != "" }, "the data source fails")
			require.Contains(t, message(), test.want, name)
			require.Contains(t, log.Take(), test.want, "%s: of the data source", name)
			require.NoError(t, client.Identify(t.Context(), user))
			require.NoError(t, client.Close())
			ofEvents := log.Take()
			require.Contains(t, ofEvents, "events: events cannot be delivered", name)
			require.Contains(t, ofEvents, test.want, "events, beside %s", name)
		}
	}
}

func TestHTTPOptions_CAFile_IsReadAgain(t *testing.T) {
	server := httptest.NewUnstartedServer(hello("secure"))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	other, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	trust := func(certificate []byte) {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
		require.NoError(t, os.WriteFile(file+".new", text, 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	trust(other)
	client, err := (&HTTPOptions{CAFile: file}).newClient(nil)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	get := func() error {
		response, err := client.Get(server.URL)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	require.ErrorAs(t, get(), new(*tls.CertificateVerificationError))
	trust(server.Certificate().Raw)
	require.NoError(t, get())
	trust(other)
	require.ErrorAs(t, get(), new(*tls.CertificateVerificationError))
}

// A host that accepts connections and never says a word does not hold up the client for longer than that.
func TestHTTPOptions_ConnectTimeout_EndsAHangingHandshake(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	began := time.Now()
	_, err = fetch(t, HTTPOptions{ConnectTimeout: 50 * time.Millisecond}, "https://"+listener.Addr().String())
	require.ErrorContains(t, err, "timeout")
	require.Less(t, time.Since(began), deadline)
}

func TestHTTPOptions_Transport_SendsTheRequests(t *testing.T) {
	server := httptest.NewServer(hello("from the transport"))
	defer server.Close()
	transport := &http.Transport{Proxy: http.ProxyURL(nil), DialContext: server.Client().Transport.(*http.Transport).DialContext}
	body, err := fetch(t, HTTPOptions{Transport: transport}, server.URL)
	require.NoError(t, err)
	require.Equal(t, "from the transport", body)
}

func TestHTTPOptions_WhatCannotBeUsed_IsAnErrorWithoutSecrets(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for name, tc := range map[string]struct {
		options HTTPOptions
		want    string
	}{
		"proxy without host":  {HTTPOptions{ProxyURL: "user:secret@proxy"}, "http://host:port"},
		"proxy of ftp":        {HTTPOptions{ProxyURL: "ftp://user:secret@proxy"}, "unknown scheme"},
		"unreadable proxy":    {HTTPOptions{ProxyURL: "http://user:secret@proxy:port:port"}, "http://host:port"},
		"no such file":        {HTTPOptions{CAFile: "/no/such/file"}, "/no/such/file"},
		"no certificate":      {HTTPOptions{CAFile: empty}, "no certificate"},
		"negative timeout":    {HTTPOptions{ConnectTimeout: -1}, "negative"},
		"transport and proxy": {HTTPOptions{Transport: http.DefaultTransport, ProxyURL: "http://secret@proxy"}, "Transport"},
		"header name":         {HTTPOptions{Header: http.Header{"A: secret": {"x"}}}, "a name that no header can have"},
		"header value":        {HTTPOptions{Header: http.Header{"A": {"secret\n"}}}, "under A"},
	} {
		t.Run(name, func(t *testing.T) {
			source := &manualSource{}
			client, err := New(t.Context(), Config{DataSource: source.factory, HTTP: tc.options})
			require.Nil(t, client)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, "Config.HTTP")
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// strange is a transport as instrumentation puts into http.DefaultTransport.
type strange struct{ http.RoundTripper }

func TestNew_DefaultTransportIsReplaced_MakesItsOwn(t *testing.T) {
	old := http.DefaultTransport
	http.DefaultTransport = strange{old}
	defer func() { http.DefaultTransport = old }()
	client, _ := newTestClient(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")))
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
}

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
		time.Sleep(noticed + polling.DefaultInterval*11/10) // what may be added to the interval included
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
