package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
	"github.com/cleatdev/cleat/internal/tlstest"
	"github.com/cleatdev/cleat/storeurl"
)

// authority is a private certificate authority.
type authority struct {
	own  tls.Certificate
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	a.own = a.issue(t, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "authority"},
	})
	a.pool.AddCert(a.own.Leaf)
	return a
}

// issue makes a certificate that the authority signed, or that of the authority itself.
func (a *authority) issue(t testing.TB, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.own.Leaf, a.own.PrivateKey
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// client is the configuration of a client that trusts the authority, with a certificate of another one's, or none.
func (a *authority) client(t testing.TB, certifier *authority) *tls.Config {
	t.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.pool}
	if certifier != nil {
		config.Certificates = []tls.Certificate{
			certifier.issue(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}),
		}
	}
	return config
}

// startTLS starts a server that speaks nothing but TLS, asks for a client certificate, and has a user "app" with the password
// "hunter2" to whom the documented permissions under a prefix apply.
func startTLS(t *testing.T, a *authority, prefix string) *containers.RedisServer {
	t.Helper()
	server := startTLSFor(t, a, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, a.client(t, a))
	admin := openAt(t, server.URL, Options{TLS: a.client(t, a)}).client
	addUser(t, admin, "app", prefix)
	return server
}

// startTLSFor starts such a server with a certificate for the template's names and addresses, which client can reach.
func startTLSFor(
	t *testing.T, a *authority, template *x509.Certificate, client *tls.Config, args ...string,
) *containers.RedisServer {
	t.Helper()
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	certificate := a.issue(t, template)
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	require.NoError(t, err)
	inPEM := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return containers.StartRedisTLS(t, containers.RedisTLS{
		Certificate: inPEM("CERTIFICATE", certificate.Certificate[0]), Key: inPEM("PRIVATE KEY", key),
		Authority: inPEM("CERTIFICATE", a.own.Certificate[0]), Client: client,
	}, args...)
}

// Both sides are verified, the user is limited to what is documented, and what is wrong is said without the password.
func TestOpen_TLSAndUser_BothSidesAreVerified(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	server := startTLS(t, a, "app")
	with := func(user string) string { return strings.Replace(server.URL, "://", "://"+user+"@", 1) }
	for name, test := range map[string]struct {
		url     string
		options Options
		want    string
	}{
		"right":                       {with("app:hunter2"), Options{TLS: a.client(t, a)}, ""},
		"no client certificate":       {with("app:hunter2"), Options{TLS: a.client(t, nil)}, "see Options.TLS, or cert_file and key_file in the URL"},
		"another authority's client":  {with("app:hunter2"), Options{TLS: a.client(t, other)}, "see Options.TLS, or cert_file and key_file in the URL"},
		"server of another authority": {with("app:hunter2"), Options{TLS: other.client(t, a)}, "is named by Options.TLS, or ca_file in the URL"},
		"the system's authorities":    {with("app:hunter2"), Options{}, "is named by Options.TLS, or ca_file in the URL"},
		"wrong password":              {with("app:hunter3"), Options{TLS: a.client(t, a)}, "check the user name and the password"},
		"unknown user":                {with("ape:hunter2"), Options{TLS: a.client(t, a)}, "check the user name and the password"},
		"no TLS":                      {"redis://app:hunter2@" + server.Address, Options{}, "redisstore: writing app:features"},
	} {
		test.options.Prefix = "app"
		_, err := openAt(t, test.url, test.options).Upsert(t.Context(), core.Flags, name, storetest.Item(name, 1))
		if test.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, core.ErrUnavailable, name)
		require.ErrorContains(t, err, test.want, name)
		require.NotContains(t, err.Error(), "hunter", name)
	}
	foreign := openAt(t, with("app:hunter2"), Options{TLS: a.client(t, a), Prefix: "app2"})
	_, err := foreign.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
	require.ErrorIs(t, err, core.ErrReadOnly)
	require.ErrorContains(t, err, "grant the user the commands and keys")
	require.ErrorIs(t, foreign.Init(t.Context(), nil), core.ErrReadOnly)
	require.ErrorIs(t, foreign.CheckAvailability(t.Context()), core.ErrUnavailable)
}

// A rediss:// URL never gets so far as to send a password to a server that speaks no TLS.
func TestOpen_TLSToPlainServer_SendsNoPassword(t *testing.T) {
	for _, scheme := range []string{"rediss", "rediss+cluster", "rediss+sentinel"} {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		received := make(chan []byte, 100)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				data := make([]byte, 4096)
				n, _ := conn.Read(data)
				_, _ = conn.Write([]byte("-ERR Protocol error\r\n"))
				received <- data[:n]
				n, _ = conn.Read(data)
				received <- data[:n]
				_ = conn.Close()
			}
		}()
		store, err := Open(t.Context(), scheme+"://user:hunter2@"+listener.Addr().String()+"/"+
			map[bool]string{true: "mymaster?sentinel_password=hunter2"}[scheme == "rediss+sentinel"], &Options{Prefix: "{p}"})
		require.NoError(t, err)
		err = store.CheckAvailability(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.ErrorContains(t, err, "does not speak TLS", scheme)
		require.NotContains(t, err.Error(), "hunter")
		require.NoError(t, store.Close())
		require.NoError(t, listener.Close())
		<-done
		close(received)
		first := <-received
		require.NotEmpty(t, first)
		require.EqualValues(t, 22, first[0], "the first byte of a TLS handshake")
		for data := range received {
			require.NotContains(t, string(data), "hunter2")
			require.NotContains(t, string(data), "AUTH")
		}
		require.NotContains(t, string(first), "hunter2")
	}
}

// tlsHarness is of a user with the documented permissions.
func tlsHarness(t *testing.T) conformance.Harness {
	a := newAuthority(t)
	server := startTLS(t, a, "suite*") // which the suite puts prefixes of its own behind
	url, config := strings.Replace(server.URL, "://", "://app:hunter2@", 1), a.client(t, a)
	admin := openAt(t, server.URL, Options{TLS: config}).client
	options := func(prefix string) *Options { return &Options{Prefix: "suite" + prefix, TLS: config} }
	return harnessOf(admin, openerFor(url), bigOpenerFor(url), options, capabilitiesInOneSlot())
}

// A Cluster announces addresses, and its certificates bear names: what is announced is verified against the name that is given.
func TestOpen_TLSCluster_CertificateOfAName_IsVerifiedByServerName(t *testing.T) {
	const name = "redis.example.com"
	a := newAuthority(t)
	named := a.client(t, a)
	named.ServerName = name
	server := startTLSFor(t, a, &x509.Certificate{DNSNames: []string{name}}, named, "--cluster-enabled", "yes", "--tls-cluster", "yes")
	admin, ctx := openAt(t, server.URL, Options{TLS: named}).client, t.Context()
	_, port, err := net.SplitHostPort(server.Address)
	require.NoError(t, err)
	require.NoError(t, admin.ConfigSet(ctx, "cluster-announce-ip", "127.0.0.1").Err())
	require.NoError(t, admin.ConfigSet(ctx, "cluster-announce-tls-port", port).Err())
	require.NoError(t, admin.ClusterAddSlotsRange(ctx, 0, 16383).Err())

	url := "rediss+cluster://" + server.Address
	store := openAt(t, url, Options{Prefix: "{flags}", TLS: named})
	require.Eventually(t, func() bool { return store.Init(ctx, nil) == nil }, 10*time.Second, 10*time.Millisecond)
	_, err = store.Upsert(ctx, core.Flags, "a", storetest.Item("a", 1))
	require.NoError(t, err)

	unnamed := openAt(t, url, Options{Prefix: "{flags}", TLS: a.client(t, a)})
	_, _, err = unnamed.Get(ctx, core.Flags, "a")
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "tls_server_name")
}

// What is wrong with a server's certificate, and the parameter that helps, if one does, is said in every topology.
func TestSchemes_ServersCertificateIsRefused_SaysWhatToDo(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	valid, expired := tlstest.Listen(t, a.Issue(t, nil)), tlstest.Listen(t, a.Issue(t, tlstest.Expired))
	schemes := map[string]storeurl.Scheme{}
	for _, scheme := range Schemes() {
		schemes[scheme.Name] = scheme
	}
	for name, path := range map[string]string{"rediss": "", "rediss+cluster": "", "rediss+sentinel": "/mymaster"} {
		for _, test := range []struct {
			trusted             *tlstest.Authority
			address, want, lack string
		}{
			{other, valid, "is named by Options.TLS, or ca_file in the URL", "invalid since"},
			{a, expired, "has been invalid since ", "ca_file"},
		} {
			u := urlOf(t, name+"://"+test.address+path+"?prefix={p}&ca_file="+test.trusted.File(t))
			store, err := schemes[name].OpenStore(t.Context(), u)
			require.NoError(t, err)
			_, _, err = store.Get(t.Context(), core.Flags, "k")
			require.NoError(t, store.Close())
			require.ErrorIs(t, err, core.ErrUnavailable)
			require.ErrorContains(t, err, test.want, name)
			require.NotContains(t, err.Error(), test.lack, name)
		}
	}
}

// A client of the caller's has a configuration of its own, and no option of ours would help.
func TestNew_ServersCertificateIsRefused_NamesTheClientsConfiguration(t *testing.T) {
	a := tlstest.NewAuthority(t)
	client := redis.NewClient(&redis.Options{
		Addr: tlstest.Listen(t, a.Issue(t, nil)), TLSConfig: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12},
		ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
	})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	store, err := New(t.Context(), client, nil)
	require.NoError(t, err)
	_, _, err = store.Get(t.Context(), core.Flags, "k")
	require.NoError(t, store.Close())
	require.ErrorContains(t, err, "is named by the TLS configuration of the client")
}
