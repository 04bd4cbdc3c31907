package redisstore

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
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

// logged counts the lines that the driver writes to its own log.
type logged struct{ lines atomic.Int64 }

func (l *logged) Printf(context.Context, string, ...any) { l.lines.Add(1) }

// The driver has nothing to write to its log, which is global, about servers that cannot be reached.
func TestOpen_NoServer_DriverLogsNothing(t *testing.T) {
	log := &logged{}
	redis.SetLogger(log)
	t.Cleanup(func() { redis.SetLogger(&logged{}) })
	for _, url := range []string{
		"redis://127.0.0.1:1", "redis+cluster://127.0.0.1:1,127.0.0.1:2", "redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster",
	} {
		store := openAt(t, url+"?pool_size=2", Options{Prefix: "{p}", Logger: quietLogger()})
		w := startWatch(t, store)
		for range 10 {
			require.ErrorIs(t, store.CheckAvailability(t.Context()), core.ErrUnavailable, url)
			_, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
			require.ErrorIs(t, err, core.ErrUnavailable, url)
		}
		w.cancel()
		require.Zero(t, log.lines.Load(), url)
	}
}

// Certificates may bear a name while servers are dialled by the addresses that they announce.
func TestOptions_TLS_ServerNameOfAllServers(t *testing.T) {
	a := newAuthority(t)
	certificate := a.issue(t, &x509.Certificate{
		DNSNames: []string{"redis.example.com"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	upstream := strings.TrimPrefix(containers.Redis(t), "redis://")
	upstream, _, _ = strings.Cut(upstream, "/")
	address := listen(t, func(conn net.Conn) {
		relay(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}), upstream)
	})
	named := a.client(t, nil)
	named.ServerName = "redis.example.com"
	require.NoError(t, openAt(t, "rediss://"+address, Options{TLS: named}).CheckAvailability(t.Context()))
	live := Options{LiveTLS: func() *tls.Config { return named }}
	require.NoError(t, openAt(t, "rediss://"+address, live).CheckAvailability(t.Context()))
	err := openAt(t, "rediss://"+address, Options{TLS: a.client(t, nil)}).CheckAvailability(t.Context())
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "tls_server_name")
}

// A caller who opens a store by URL can give Sentinels credentials that change.
func TestOptions_SentinelCredentials_AreAskedForEachTime(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	ctx, servers := t.Context(), containers.StartRedisSentinel(t, "requirepass hunter2")
	var password atomic.Value
	password.Store("hunter3")
	opts := Options{SentinelCredentials: func(context.Context) (string, string, error) { return "", password.Load().(string), nil }}
	store := openAt(t, servers.URL, opts)
	err := store.CheckAvailability(ctx)
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "check the user name and the password")
	require.NotContains(t, err.Error(), "hunter")
	password.Store("hunter2")
	require.NoError(t, store.CheckAvailability(ctx), "what could not be made is not used again")
	for url, want := range map[string]string{
		"redis://localhost": "needs a redis+sentinel:// URL", servers.URL + "?sentinel_password=x": "exclude each other",
	} {
		_, err := Open(ctx, url, &opts)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}
