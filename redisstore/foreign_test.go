package redisstore

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

// listen starts a server that handles each connection with a function.
func listen(t *testing.T, handle func(net.Conn)) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				handle(conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		running.Wait()
	})
	return listener.Addr().String()
}

// httpServer answers as Consul's port does.
func httpServer(t *testing.T, start func(http.Handler) *httptest.Server) *httptest.Server {
	t.Helper()
	server := start(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return server
}

// What is no Redis server at the port, or not the one that the URL says, is recognised at once, in every topology.
func TestOpen_AnotherServer_SaysWhatWasProbablyMeant(t *testing.T) {
	https := httpServer(t, httptest.NewTLSServer)
	authority := https.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	trusting := Options{TLS: &tls.Config{RootCAs: authority, MinVersion: tls.VersionTLS12}}
	closing := listen(t, func(conn net.Conn) { // as a twemproxy does at a command that it does not know
		_, _ = bufio.NewReader(conn).ReadString('\n')
	})
	for name, test := range map[string]struct {
		address, scheme string
		options         Options
		want            string
	}{
		"rediss at a plain port":  {strings.TrimPrefix(containers.Redis(t), "redis://"), "rediss", Options{}, "a URL that begins with redis instead of rediss"},
		"redis at a TLS port":     {https.Listener.Addr().String(), "redis", Options{}, "with rediss"},
		"redis at an HTTP port":   {httpServer(t, httptest.NewServer).Listener.Addr().String(), "redis", Options{}, "the server speaks HTTP"},
		"rediss at an HTTPS port": {https.Listener.Addr().String(), "rediss", trusting, "the server speaks HTTP"},
		"a proxy that closes":     {closing, "redis", Options{}, "as twemproxy does"},
		"another protocol": {listen(t, func(conn net.Conn) { _, _ = conn.Write([]byte("220 mail.example.com\r\n")) }), "redis", Options{},
			"this is no port of a Redis server"},
	} {
		for _, form := range []string{"://", "+cluster://", "+sentinel://"} {
			path, _, _ := strings.Cut(test.address, "/")
			url := test.scheme + form + "u:hunter2@" + path
			if form == "+sentinel://" {
				url += "/mymaster?sentinel_password=hunter2"
			}
			test.options.Prefix, test.options.Logger = "{p}", quietLogger()
			begin := time.Now()
			err := openAt(t, url, test.options).CheckAvailability(t.Context())
			require.ErrorIs(t, err, core.ErrUnavailable, "%s by %s", name, form)
			require.ErrorContains(t, err, test.want, "%s by %s", name, form)
			require.NotContains(t, err.Error(), "hunter2")
			require.Less(t, time.Since(begin), time.Second, "%s by %s", name, form)
		}
	}
}

// A Redis server that speaks nothing but TLS says so by closing the connection, or by an alert.
func TestOpen_PlainToTLSServer_SaysWhatWasProbablyMeant(t *testing.T) {
	server := startTLS(t, newAuthority(t), "app")
	begin := time.Now()
	err := openAt(t, "redis://app:hunter2@"+server.Address, Options{Prefix: "app"}).CheckAvailability(t.Context())
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "begins with rediss")
	require.NotContains(t, err.Error(), "hunter")
	require.Less(t, time.Since(begin), time.Second)
}
