package storeurl

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/cleatdev/cleat/internal/livefile"
)

// TLSParameters returns the names that [URL.LiveTLS] reads a TLS configuration from.
func TLSParameters() []string { return []string{"ca_file", "cert_file", "key_file"} }

// LiveTLS reads ca_file, cert_file and key_file, and returns the configuration of the next connection, for which files that
// have changed are read again; nil if none of them is there. The function may be called at any time from any goroutine. A file
// that cannot be used makes [URL.Check] fail.
func (u *URL) LiveTLS() func() *tls.Config {
	caFile, certFile, keyFile := u.Text("ca_file"), u.Text("cert_file"), u.Text("key_file")
	if caFile+certFile+keyFile == "" {
		return nil
	}
	var authorities *livefile.Value[*x509.CertPool]
	var certificate *livefile.Value[*tls.Certificate]
	var err error
	if caFile != "" {
		if authorities, err = livefile.Authorities(u.logger, u.place("ca_file"), caFile, false); err != nil {
			u.Refuse("ca_file", "the file cannot be used: %w", err)
		}
	}
	switch {
	case certFile == "" && keyFile == "":
	case certFile == "" || keyFile == "":
		u.Refuse("cert_file", "cert_file and key_file belong together")
	default:
		if certificate, err = livefile.Certificate(u.logger, u.place("cert_file"), certFile, keyFile); err != nil {
			u.Refuse("cert_file", "cert_file and key_file cannot be used: %w", err)
		}
	}
	return livefile.TLS(authorities, certificate)
}
