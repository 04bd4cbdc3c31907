package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// A URL that cannot be used is refused with advice and without any part of it, since a password may be in every part.
func TestOpen_UnusableURL_IsRefusedWithoutSecrets(t *testing.T) {
	for url, want := range map[string]string{
		"redis://:hunter2/x@localhost":             "is no URL",
		"redis://:hunter2?x@localhost":             "is no URL",
		"redis://u:hunter2%zz@localhost":           "is no URL",
		"redis://u:p#hunter2@localhost":            "is no URL",
		"redis://u#hunter2@localhost":              "has an @ behind the place of its host",
		"redis://localhost#hunter2":                "has a fragment",
		"http://u:hunter2@localhost":               "must begin with redis://",
		"unix://u:hunter2@/tmp/redis.sock":         "must begin with redis://",
		"hunter2":                                  "has no scheme",
		"redis://u:hunter2@":                       "has no host",
		"redis://u:hunter2@localhost/one":          "database number",
		"redis://u:p@localhost/hunter2":            "database number",
		"redis://u:p@localhost?hunter2=1":          "known are client_name, conn_max_idle_time",
		"redis://u:p@localhost?pool_size=hunter2":  "unusable value for the parameter pool_size",
		"redis://u:p@localhost?pool_size=1;hunter": "cannot be parsed",
		"redis+ring://u:hunter2@localhost":         "must begin with redis://",
		"redis://u:hunter2@a:1,b:2":                "lists several hosts",
		"redis+cluster://u:hunter2@a,b/1":          "no numbered databases",
		"redis+cluster://u:hunter2@a,,b":           "a host that cannot be read",
		"redis+cluster://u:p@a,hunter2:x":          "a host that cannot be read",
		"redis+cluster://u:hun,ter2/@a":            "is no URL",
		"redis+cluster://u:p@a?db=hunter2":         "known are client_name, conn_max_idle_time, conn_max_lifetime, dial_timeout",
		"redis+sentinel://u:hunter2@a,b":           "by which name the Sentinels know the primary",
		"redis+sentinel://u:hunter2@a,b/my/hunter": "the name of a primary and a database number",
		"redis+sentinel://u:p@a/my?hunter2=1":      "sentinel_password, sentinel_username",
	} {
		_, err := Open(t.Context(), url, nil)
		require.ErrorIs(t, err, core.ErrInvalid, url)
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "hunter", url)
	}
}

// What the URL says reaches the driver.
func TestOpen_URL_ConfiguresTheClient(t *testing.T) {
	store, err := Open(t.Context(), "rediss://u:p%40ss@example.com:7000/3?pool_size=7&dial_timeout=9s", nil)
	require.NoError(t, err)
	options := store.client.(*redis.Client).Options()
	require.Equal(t, "example.com:7000", options.Addr)
	require.Equal(t, "u", options.Username)
	require.Equal(t, "p@ss", options.Password)
	require.Equal(t, 3, options.DB)
	require.Equal(t, 7, options.PoolSize)
	require.Equal(t, 9*time.Second, options.DialTimeout)
	require.True(t, options.ContextTimeoutEnabled)
	require.NoError(t, store.Close())
}

// What the URL lists and says of several servers reaches the driver, defaults included.
func TestOpen_URLOfSeveralServers_ConfiguresTheClient(t *testing.T) {
	sentinels, err := parseURL("REDISS+sentinel://u:p%40ss@a,[::1]:1,b:2/my%20master/3?sentinel_username=su&sentinel_password=s%2Fp&pool_size=7")
	require.NoError(t, err)
	require.Equal(t, []string{"a:26379", "[::1]:1", "b:2"}, sentinels.addresses)
	require.Equal(t, "my master", sentinels.primary)
	require.Equal(t, []string{"u", "p@ss", "su", "s/p"}, []string{
		sentinels.settings.Username, sentinels.settings.Password, sentinels.sentinelUsername, sentinels.sentinelPassword,
	})
	require.Equal(t, []int{3, 7}, []int{sentinels.settings.DB, sentinels.settings.PoolSize})
	require.True(t, sentinels.tls)

	store, err := Open(t.Context(), "redis+cluster://u:p@a:1,b?dial_timeout=9s", nil)
	require.NoError(t, err)
	options := store.client.(*redis.ClusterClient).Options()
	require.Equal(t, []string{"a:1", "b:6379"}, options.Addrs)
	require.Equal(t, "u", options.Username)
	require.Equal(t, "p", options.Password)
	require.Equal(t, 9*time.Second, options.DialTimeout)
	require.True(t, options.ContextTimeoutEnabled)
	require.NoError(t, store.Close())
}

// tlsInFront starts a TLS end point in front of the shared server.
func tlsInFront(t *testing.T) (address string, authorities *x509.CertPool) {
	t.Helper()
	upstream, err := redis.ParseURL(containers.Redis(t))
	require.NoError(t, err)
	https := httptest.NewTLSServer(nil) // for its certificate alone
	https.Close()
	authorities = x509.NewCertPool()
	authorities.AddCert(https.Certificate())
	listener, err := tls.Listen("tcp", "127.0.0.1:0",
		&tls.Config{Certificates: https.TLS.Certificates, MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { relay(conn, upstream.Addr) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		running.Wait()
	})
	return listener.Addr().String(), authorities
}

// relay copies both ways until either side ends.
func relay(downstream net.Conn, upstreamAddress string) {
	defer downstream.Close() //nolint:errcheck // the other side sees it
	upstream, err := net.DialTimeout("tcp", upstreamAddress, time.Second)
	if err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(downstream, upstream)
		_ = downstream.Close()
	}()
	_, _ = io.Copy(upstream, downstream)
	_ = upstream.Close()
	<-done
}

// A rediss:// URL speaks TLS, and trusts whom the options say.
func TestOpen_TLS_IsSpokenAndVerified(t *testing.T) {
	address, authorities := tlsInFront(t)
	trusting, err := Open(t.Context(), "rediss://"+address,
		&Options{Prefix: storetest.Prefix(), TLS: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}})
	require.NoError(t, err)
	result, err := trusting.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	require.True(t, result.Written)
	require.NoError(t, trusting.Close())

	distrusting, err := Open(t.Context(), "rediss://"+address, nil)
	require.NoError(t, err)
	err = distrusting.CheckAvailability(t.Context())
	require.ErrorIs(t, err, core.ErrUnavailable)
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)
	require.NoError(t, distrusting.Close())

	plain, err := Open(t.Context(), "redis://"+address, nil)
	require.NoError(t, err)
	require.ErrorIs(t, plain.CheckAvailability(t.Context()), core.ErrUnavailable)
	require.NoError(t, plain.Close())
}

// Neither refused credentials nor a server that repeats what it does not understand puts a password into an error.
func TestOpen_RefusedPassword_IsNotRepeated(t *testing.T) {
	password := strings.Repeat("hunter2", 40)
	for name, server := range map[string]*containers.RedisServer{
		"wrong password": containers.StartRedis(t, "--requirepass", "right"),
		"unknown AUTH":   containers.StartRedis(t, "--requirepass", "right", "--rename-command", "AUTH", "", "--rename-command", "HELLO", ""),
	} {
		store, err := Open(t.Context(), "redis://:"+password+"@"+server.Address, nil)
		require.NoError(t, err)
		err = store.CheckAvailability(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable, name)
		require.NotContains(t, err.Error(), "hunter2", name)
		_, err = store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
		require.ErrorIs(t, err, core.ErrUnavailable, name)
		require.NotContains(t, err.Error(), "hunter2", name)
		require.NoError(t, store.Close())
	}
}

// A password does not show when no server listens either.
func TestOpen_NoServer_IsUnavailableWithoutSecrets(t *testing.T) {
	store, err := Open(t.Context(), "redis://u:hunter2@127.0.0.1:1", nil)
	require.NoError(t, err)
	begin := time.Now()
	err = store.CheckAvailability(t.Context())
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.Less(t, time.Since(begin), time.Second)
	require.NotContains(t, err.Error(), "hunter2")
	var opError *net.OpError
	require.ErrorAs(t, err, &opError)
	require.NoError(t, store.Close())
}

// However often a server was not there, Close leaves no goroutine, and a server that is back is noticed at once.
func TestOpen_ManyFailedDials_LeaveNothingBehind(t *testing.T) {
	server := containers.StartRedis(t)
	before := goleak.IgnoreCurrent()
	store, err := Open(t.Context(), server.URL+"?pool_size=2", nil)
	require.NoError(t, err)
	server.Stop(t)
	for range 20 {
		err := store.CheckAvailability(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable)
		var opError *net.OpError
		require.ErrorAs(t, err, &opError)
	}
	server.Start(t)
	require.NoError(t, store.CheckAvailability(t.Context()))
	server.Stop(t)
	for range 20 {
		require.ErrorIs(t, store.CheckAvailability(t.Context()), core.ErrUnavailable)
	}
	require.NoError(t, store.Close())
	goleak.VerifyNone(t, before)
}
