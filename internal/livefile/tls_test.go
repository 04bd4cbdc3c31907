package livefile_test

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
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/internal/livefile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority issues certificates.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	a.certificate = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.pem, _, a.key = a.sign(a.certificate)
	return a
}

// sign signs with the authority's key, or with the new one if it has none yet.
func (a *authority) sign(template *x509.Certificate) (certificate, keyText string, key *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), signer)
	require.NoError(a.t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER), key
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// issue returns a certificate for 127.0.0.1 and localhost, of a server or a client, and its key.
func (a *authority) issue(name string) (certificate, key string) {
	certificate, key, _ = a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return certificate, key
}

// serve starts a server that answers with the name in the client's certificate, and with the number of the connection.
func (a *authority) serve() *httptest.Server {
	certificate, key := a.issue("server")
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	require.NoError(a.t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "nobody"
		if peers := r.TLS.PeerCertificates; len(peers) > 0 {
			name = peers[0].Subject.CommonName
		}
		_, _ = io.WriteString(w, name)
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	a.t.Cleanup(server.Close)
	return server
}

func dial(server *httptest.Server, host string, config *tls.Config) error {
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	conn, err := tls.Dial("tcp", net.JoinHostPort(host, port), config)
	if err == nil {
		err = conn.Close()
	}
	return err
}

func TestTLS_AuthoritiesAreReadAgain(t *testing.T) {
	one, two := newAuthority(t, "one"), newAuthority(t, "two")
	path := filepath.Join(t.TempDir(), "ca.pem")
	write(t, path, one.pem)
	authorities, err := livefile.Authorities(nil, "", path, false)
	require.NoError(t, err)
	config := livefile.TLS(authorities, nil)
	before := config()
	require.Same(t, before, config())
	first, second := one.serve(), two.serve()
	for _, host := range []string{"127.0.0.1", "localhost"} {
		require.NoError(t, dial(first, host, config()))
		require.ErrorAs(t, dial(second, host, config()), new(*tls.CertificateVerificationError))
	}
	replace(t, path, two.pem)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		require.ErrorAs(t, dial(first, host, config()), new(*tls.CertificateVerificationError))
		require.NoError(t, dial(second, host, config()))
	}
	other := config().Clone()
	other.ServerName = "127.0.0.2"
	require.ErrorAs(t, dial(second, "127.0.0.1", other), new(x509.HostnameError), "an address is verified too")
	replace(t, path, "no certificate")
	require.NoError(t, dial(second, "localhost", config()))
}

func TestAuthorities_WithSystem_TrustsBoth(t *testing.T) {
	one := newAuthority(t, "one")
	path := filepath.Join(t.TempDir(), "ca.pem")
	write(t, path, one.pem)
	authorities, err := livefile.Authorities(nil, "", path, true)
	require.NoError(t, err)
	want, err := x509.SystemCertPool()
	require.NoError(t, err)
	want.AppendCertsFromPEM([]byte(one.pem))
	require.True(t, want.Equal(authorities.Current()))
	write(t, path, "none")
	_, err = livefile.Authorities(nil, "", path, true)
	require.ErrorIs(t, err, livefile.ErrNoCertificate)
}

func TestTransport_FilesChange_NextRequestUsesThem(t *testing.T) {
	one, two := newAuthority(t, "one"), newAuthority(t, "two")
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeAll := func(caText, certText, keyText string) {
		replace(t, ca, caText)
		replace(t, cert, certText)
		replace(t, key, keyText)
	}
	certText, keyText := one.issue("client one")
	writeAll(one.pem, certText, keyText)
	authorities, err := livefile.Authorities(nil, "", ca, false)
	require.NoError(t, err)
	certificate, err := livefile.Certificate(nil, "", cert, key)
	require.NoError(t, err)
	transport := livefile.NewTransport(livefile.TLS(authorities, certificate), func(config *tls.Config) *http.Transport {
		return &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true}
	})
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()
	get := func(server *httptest.Server) (string, error) {
		response, err := client.Get(server.URL)
		if err != nil {
			return "", err
		}
		defer func() { require.NoError(t, response.Body.Close()) }()
		require.Equal(t, 2, response.ProtoMajor)
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
	first, second := one.serve(), two.serve()
	body, err := get(first)
	require.NoError(t, err)
	require.Equal(t, "client one", body)

	otherCert, otherKey := two.issue("client two")
	replace(t, cert, otherCert) // the key does not belong to it yet
	body, err = get(first)
	require.NoError(t, err)
	require.Equal(t, "client one", body)

	writeAll(two.pem, otherCert, otherKey)
	body, err = get(second)
	require.NoError(t, err)
	require.Equal(t, "client two", body)
	_, err = get(first)
	require.ErrorAs(t, err, new(*tls.CertificateVerificationError), "the connection to what was trusted before is not used again")
}

func TestCertificate_OfAnotherKey_IsAnError(t *testing.T) {
	one := newAuthority(t, "one")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certText, _ := one.issue("x")
	_, keyText := one.issue("y")
	write(t, cert, certText)
	write(t, key, keyText)
	_, err := livefile.Certificate(nil, "", cert, key)
	require.ErrorContains(t, err, "private key does not match")
}
