package httptransport_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/internal/httptransport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// through makes a request to an encrypted server by a transport with that proxy.
func through(t *testing.T, proxy string, connectTimeout time.Duration) error {
	t.Helper()
	parsed, err := url.Parse("http://name:password@" + proxy)
	require.NoError(t, err)
	transport := httptransport.New(connectTimeout)
	transport.Proxy = http.ProxyURL(parsed)
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://flags.test/all", http.NoBody)
	require.NoError(t, err)
	response, err := transport.RoundTrip(request)
	if err == nil {
		_ = response.Body.Close()
	}
	return err
}

func TestNew_ProxyRefuses_TheErrorIsTheProxys(t *testing.T) {
	for status, advice := range map[int]string{
		http.StatusForbidden:          "lets through",
		http.StatusProxyAuthRequired:  "user name and password",
		http.StatusBadGateway:         "",
		http.StatusServiceUnavailable: "",
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			defer server.Close()
			host := server.Listener.Addr().String()
			err := through(t, host, time.Minute)
			var refusal *httptransport.ProxyError
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, httptransport.ProxyError{Host: host, Status: status}, *refusal)
			require.ErrorContains(t, err, "the HTTP proxy "+host+" answered "+strconv.Itoa(status))
			require.ErrorContains(t, err, advice)
			require.NotContains(t, err.Error(), "password@")
		})
	}
}

func TestNew_ProxyHangs_ConnectTimeoutCounts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		_, _ = bufio.NewReader(connection).ReadString(0) // until the transport goes away
	}()
	err = through(t, listener.Addr().String(), 50*time.Millisecond)
	require.ErrorContains(t, err, "the HTTP proxy "+listener.Addr().String()+" has not answered within 50ms")
	<-gone
}

// What bounds the proxy's answer does not bound what goes through the tunnel.
func TestNew_ProxyAnswers_TheTunnelHasNoDeadline(t *testing.T) {
	const connectTimeout = 300 * time.Millisecond
	slow := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(2 * connectTimeout)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer slow.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		server, err := net.Dial("tcp", slow.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = server.Close()
			return
		}
		_, _ = client.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		relay(client, server)
	}))
	defer proxy.Close()
	parsed, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	transport := httptransport.New(connectTimeout)
	transport.Proxy = http.ProxyURL(parsed)
	transport.TLSClientConfig = slow.Client().Transport.(*http.Transport).TLSClientConfig
	transport.TLSHandshakeTimeout = time.Minute
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", http.NoBody)
	require.NoError(t, err)
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNoContent, response.StatusCode)
	transport.CloseIdleConnections()
}

// relay copies both ways until one side ends.
func relay(a, b net.Conn) {
	done := make(chan struct{})
	pipe := func(to, from net.Conn) {
		_, _ = bufio.NewReader(from).WriteTo(to)
		_, _ = to.Close(), from.Close()
	}
	go func() { defer close(done); pipe(a, b) }()
	pipe(b, a)
	<-done
}
