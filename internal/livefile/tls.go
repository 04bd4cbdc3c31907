package livefile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"sync"
)

// ErrNoCertificate is returned for a file of authorities that holds none.
var ErrNoCertificate = errors.New("it holds no certificate in PEM form")

// Authorities returns the certificates in a PEM file, besides those of the system if withSystem is true.
func Authorities(logger *slog.Logger, thing, path string, withSystem bool) (*Value[*x509.CertPool], error) {
	return New(logger, thing, func(contents [][]byte) (*x509.CertPool, error) {
		pool := x509.NewCertPool()
		if withSystem {
			if system, err := x509.SystemCertPool(); err == nil { // a machine without any still trusts the file
				pool = system
			}
		}
		if !pool.AppendCertsFromPEM(contents[0]) {
			return nil, ErrNoCertificate
		}
		return pool, nil
	}, path)
}

// Certificate returns the certificate and its private key in two PEM files.
func Certificate(logger *slog.Logger, thing, certificatePath, keyPath string) (*Value[*tls.Certificate], error) {
	return New(logger, thing, func(contents [][]byte) (*tls.Certificate, error) {
		certificate, err := tls.X509KeyPair(contents[0], contents[1])
		return &certificate, err
	}, certificatePath, keyPath)
}

// TLS returns a function that returns the configuration of the next TLS connection of a client: the same one until the
// authorities change. It trusts the authorities, or those of the system if there are none, and presents the certificate, if
// there is one. The configurations must not be changed, but for copies.
//
// It is a function and not one configuration, because the authorities of a configuration cannot change, and a verification of
// one's own does not learn of a server that is dialled by its address which address that is: [tls.ConnectionState].ServerName
// is then empty.
func TLS(authorities *Value[*x509.CertPool], certificate *Value[*tls.Certificate]) func() *tls.Config {
	template := &tls.Config{MinVersion: tls.VersionTLS12}
	if certificate != nil {
		template.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate.Current(), nil
		}
	}
	if authorities == nil {
		return func() *tls.Config { return template }
	}
	var mu sync.Mutex
	current := template
	return func() *tls.Config {
		mu.Lock()
		defer mu.Unlock()
		if roots := authorities.Current(); current.RootCAs != roots {
			current = template.Clone()
			current.RootCAs = roots
		}
		return current
	}
}
