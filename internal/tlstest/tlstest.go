// Package tlstest has certificates that a test makes, and servers that get no further than the TLS handshake.
package tlstest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// AuthorityName is what certificates say of who issued them.
const AuthorityName = "CN=authority of the test"

// Authority issues certificates.
type Authority struct {
	// Certificate is its own.
	Certificate tls.Certificate
	// Pool contains it alone.
	Pool *x509.CertPool
}

// NewAuthority makes an authority.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{Pool: x509.NewCertPool()}
	a.Certificate = a.Issue(t, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: AuthorityName[len("CN="):]}
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	a.Pool.AddCert(a.Certificate.Leaf)
	return a
}

// Issue issues a certificate for 127.0.0.1 that is valid for servers and clients from an hour ago for two hours, but for what
// change changes; it may be nil.
func (a *Authority) Issue(t testing.TB, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	parent, signer := a.Certificate.Leaf, a.Certificate.PrivateKey
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// File writes the authority's certificate into a file, for a setting that names one.
func (a *Authority) File(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate.Certificate[0]}
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	return path
}

// Expired is a change for Issue: the certificate has been invalid for half an hour.
func Expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour / 2) }

// Listen starts a server that shows a certificate and closes each connection after the handshake, or if that fails, when the client does.
func Listen(t testing.TB, certificate tls.Certificate) (address string) {
	t.Helper()
	return Serve(t, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
}

// Serve is Listen with a configuration of the caller's.
func Serve(t testing.TB, config *tls.Config) (address string) {
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
				defer func() { _ = conn.Close() }()
				defer context.AfterFunc(t.Context(), func() { _ = conn.Close() })()
				if tls.Server(conn, config).HandshakeContext(t.Context()) != nil {
					_, _ = io.Copy(io.Discard, conn) // so that the client gets the alert, and no reset
				}
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		running.Wait()
	})
	return listener.Addr().String()
}
