package flagservice

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// newCertificate returns a self-signed certificate for 127.0.0.1 that is valid until a time.
func newCertificate(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// describeTLS returns the message about a server with the certificate.
func describeTLS(t *testing.T, certificate tls.Certificate, trusted bool, serverName string) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	if trusted {
		roots.AddCert(certificate.Leaf)
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS12},
	}}
	endpoint, err := NewEndpoint(core.ClientSettings{HTTPClient: client}.WithDefaults(), server.URL, "all", "")
	require.NoError(t, err)
	_, err = endpoint.Get(t.Context(), nil) //nolint:bodyclose // there is none
	require.Error(t, err)
	return Describe(err).Message
}

func TestDescribe_AdviceFitsTheCertificate(t *testing.T) {
	valid, expired := newCertificate(t, time.Now().Add(time.Hour)), newCertificate(t, time.Now().Add(-time.Hour))
	message := describeTLS(t, valid, false, "")
	require.Contains(t, message, "Config.HTTP.CAFile (http.ca_file in a configuration file)")
	require.NotContains(t, message, "renewed")

	message = describeTLS(t, expired, true, "")
	require.Contains(t, message, "renewed")
	require.Contains(t, message, "clock")
	require.NotContains(t, message, "CAFile", "it is trusted")

	message = describeTLS(t, valid, true, "other.example.com")
	require.Contains(t, message, "check the host in the base URI")
	require.NotContains(t, message, "CAFile")
}
