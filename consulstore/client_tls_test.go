package consulstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/livefile"
	"github.com/cleatdev/cleat/internal/storetest"
	"github.com/cleatdev/cleat/internal/tlstest"
	"github.com/cleatdev/cleat/storeurl"
)

// authority is a private certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	issued := a.issue(t, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "authority"},
	})
	a.certificate, a.key = issued.Leaf, issued.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.certificate)
	return a
}

// issue makes a certificate that the authority signed, or that of the authority itself.
func (a *authority) issue(t *testing.T, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) client(t *testing.T) tls.Certificate {
	return a.issue(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// server is the configuration of a server that the authority vouches for, and which asks for a client's certificate.
func (a *authority) server(t *testing.T) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool,
		Certificates: []tls.Certificate{a.issue(t, &x509.Certificate{
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})},
	}
}

// writeFiles writes the authority, and a client's certificate and key, into a directory.
func (a *authority) writeFiles(t *testing.T, directory string) {
	t.Helper()
	client := a.client(t)
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		"ca.pem":   {Type: "CERTIFICATE", Bytes: a.certificate.Raw},
		"cert.pem": {Type: "CERTIFICATE", Bytes: client.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), pem.EncodeToMemory(block), 0o600))
	}
}

// startTLS puts a server that speaks TLS, and asks for a client certificate, before the shared Consul server.
func startTLS(t *testing.T, a *authority) (address string) {
	t.Helper()
	front := httptest.NewUnstartedServer(gateway(t))
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.TLS = a.server(t)
	front.StartTLS()
	t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

// gateway passes requests on to the shared server.
func gateway(t *testing.T) http.Handler {
	target, err := url.Parse("http://" + containers.Consul(t))
	require.NoError(t, err)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport,
	}
}

// A private authority and a client certificate make a connection; without one of them there is none.
func TestOpen_TLS_VerifiesBothSides(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	address := startTLS(t, a)
	config := func(roots *authority, client *authority) *tls.Config {
		config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots.pool}
		if client != nil {
			config.Certificates = []tls.Certificate{client.client(t)}
		}
		return config
	}
	for name, test := range map[string]struct {
		options Options
		works   bool
	}{
		"right":                         {Options{Address: address, TLS: config(a, a)}, true},
		"right, https":                  {Options{Address: "https://" + address, TLS: config(a, a)}, true},
		"no client certificate":         {Options{Address: address, TLS: config(a, nil)}, false},
		"another authority's client":    {Options{Address: address, TLS: config(a, other)}, false},
		"server of another authority":   {Options{Address: address, TLS: config(other, a)}, false},
		"the system's authorities":      {Options{Address: "https://" + address}, false},
		"no TLS at all":                 {Options{Address: address}, false},
		"TLS where the server has none": {Options{Address: containers.Consul(t), TLS: config(a, a)}, false},
	} {
		test.options.Prefix = storetest.Prefix()
		store := openStore(t, test.options)
		_, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
		if test.works {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, core.ErrUnavailable, name)
	}
}

// Authorities and a client certificate in files are read again when they have changed, by the swap of a symbolic link, as in
// a secret that Kubernetes mounts.
func TestOpen_LiveTLS_FollowsTheFiles(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	var serving atomic.Pointer[tls.Config]
	front := httptest.NewUnstartedServer(gateway(t))
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.TLS = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return serving.Load(), nil },
	}
	serving.Store(first.server(t))
	front.StartTLS()
	t.Cleanup(front.Close)

	directory := t.TempDir()
	mount := func(version string, a *authority) {
		require.NoError(t, os.Mkdir(filepath.Join(directory, version), 0o700))
		a.writeFiles(t, filepath.Join(directory, version))
		require.NoError(t, os.Symlink(version, filepath.Join(directory, "new")))
		require.NoError(t, os.Rename(filepath.Join(directory, "new"), filepath.Join(directory, "current")))
	}
	mount("1", first)
	file := func(name string) string { return filepath.Join(directory, "current", name) }
	authorities, err := livefile.Authorities(nil, "the authorities", file("ca.pem"), false)
	require.NoError(t, err)
	certificate, err := livefile.Certificate(nil, "the certificate", file("cert.pem"), file("key.pem"))
	require.NoError(t, err)
	store := openStore(t, Options{
		Address: front.Listener.Addr().String(), Prefix: storetest.Prefix(), LiveTLS: livefile.TLS(authorities, certificate),
	})
	require.NoError(t, store.CheckAvailability(t.Context()))
	serving.Store(second.server(t))
	front.CloseClientConnections()
	require.ErrorIs(t, store.CheckAvailability(t.Context()), core.ErrUnavailable)
	mount("2", second)
	require.NoError(t, store.CheckAvailability(t.Context()))
}

// A configuration that offers HTTP/2 to a server that speaks it makes a connection of HTTP/1.1 all the same.
func TestOpen_TLSOffersHTTP2_SpeaksHTTP1(t *testing.T) {
	var protocols sync.Map
	front := httptest.NewUnstartedServer(nil)
	shared := gateway(t)
	front.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols.Store(r.Proto, true)
		shared.ServeHTTP(w, r)
	})
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)
	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate())
	store := openStore(t, Options{Address: front.Listener.Addr().String(), Prefix: storetest.Prefix(), TLS: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, NextProtos: []string{"h2", "http/1.1"},
	}})
	_, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	var seen []any
	protocols.Range(func(protocol, _ any) bool { seen = append(seen, protocol); return true })
	require.Equal(t, []any{"HTTP/1.1"}, seen)
}

// An address may be a Unix socket, and have a path in front of Consul's own.
func TestOpen_SocketAndPath_Work(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "consul.sock")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	require.NoError(t, err)
	onSocket := httptest.NewUnstartedServer(gateway(t))
	onSocket.Listener = listener
	onSocket.Start()
	t.Cleanup(onSocket.Close)
	withPath := httptest.NewServer(http.StripPrefix("/consul", gateway(t)))
	t.Cleanup(withPath.Close)
	for _, address := range []string{"unix://" + socket, withPath.URL + "/consul"} {
		store := openStore(t, Options{Address: address, Prefix: storetest.Prefix()})
		require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(3, 1, 100)}), address)
		_, found, err := store.Get(t.Context(), core.Flags, "flag-00001")
		require.NoError(t, err)
		require.True(t, found)
		require.NoError(t, store.Close())
	}
}

// What is wrong with a server's certificate, and the setting that helps, if one does, is said.
func TestSchemes_ServersCertificateIsRefused_SaysWhatToDo(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	valid, expired := tlstest.Listen(t, a.Issue(t, nil)), tlstest.Listen(t, a.Issue(t, tlstest.Expired))
	wantsClients := tlstest.Serve(t, &tls.Config{
		Certificates: []tls.Certificate{a.Issue(t, nil)}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert,
	})
	for _, test := range []struct {
		trusted             *tlstest.Authority
		address, want, lack string
	}{
		{other, valid, "is named by Options.TLS, ca_file in the URL, or CONSUL_CACERT", "invalid since"},
		{a, expired, "has been invalid since ", "ca_file"},
		{a, wantsClients, "see Options.TLS, cert_file and key_file in the URL, or CONSUL_CLIENT_CERT", "ca_file"},
	} {
		u, err := storeurl.Parse("consuls://"+test.address+"?ca_file="+test.trusted.File(t), nil)
		require.NoError(t, err)
		store, err := Schemes()[1].OpenStore(t.Context(), u)
		require.NoError(t, err)
		_, _, getErr := store.Get(t.Context(), core.Flags, "k")
		_, upsertErr := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
		require.NoError(t, store.Close())
		for _, err := range []error{getErr, upsertErr} {
			require.ErrorIs(t, err, core.ErrUnavailable)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), test.lack)
		}
	}
}

// A client of the caller's has a configuration of its own, and no option of ours would help.
func TestNew_ServersCertificateIsRefused_NamesTheClientsConfiguration(t *testing.T) {
	a := tlstest.NewAuthority(t)
	client, err := api.NewClient(&api.Config{Address: "https://" + tlstest.Listen(t, a.Issue(t, nil)), Transport: new(http.Transport)})
	require.NoError(t, err)
	store, err := New(t.Context(), client, nil)
	require.NoError(t, err)
	_, _, err = store.Get(t.Context(), core.Flags, "k")
	require.NoError(t, store.Close())
	require.ErrorContains(t, err, "is named by the TLS configuration of the client")
}
