package backends

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/cleatdev/cleat/internal/livefile"
)

// tlsParameters are the names that [URL] reads a TLS configuration from.
func tlsParameters() []string { return []string{"ca_file", "cert_file", "key_file"} }

// tls is liveTLS for a store that takes one configuration for good: a certificate is read again, authorities are not.
func (u *URL) tls() *tls.Config {
	config := u.liveTLS()
	if config == nil {
		return nil
	}
	return config()
}

// liveTLS reads ca_file, cert_file and key_file, and returns the configuration of the next connection, for which files that
// have changed are read again; nil if none of them is there. A file that cannot be used makes [URL.Check] fail.
func (u *URL) liveTLS() func() *tls.Config {
	caFile, certFile, keyFile := u.Text("ca_file"), u.Text("cert_file"), u.Text("key_file")
	if caFile+certFile+keyFile == "" {
		return nil
	}
	var authorities *livefile.Value[*x509.CertPool]
	var certificate *livefile.Value[*tls.Certificate]
	var err error
	if caFile != "" {
		if authorities, err = livefile.Authorities(u.logger, u.place("ca_file"), caFile, false); err != nil {
			u.fail("ca_file", "the file cannot be used: %w", err)
		}
	}
	switch {
	case certFile == "" && keyFile == "":
	case certFile == "" || keyFile == "":
		u.fail("cert_file", "cert_file and key_file belong together")
	default:
		if certificate, err = livefile.Certificate(u.logger, u.place("cert_file"), certFile, keyFile); err != nil {
			u.fail("cert_file", "cert_file and key_file cannot be used: %w", err)
		}
	}
	return livefile.TLS(authorities, certificate)
}
