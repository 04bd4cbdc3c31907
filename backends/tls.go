package backends

import (
	"crypto/tls"
	"crypto/x509"
	"os"
)

// tlsParameters are the names that [URL] reads a TLS configuration from.
func tlsParameters() []string { return []string{"ca_file", "cert_file", "key_file"} }

// tls reads ca_file, cert_file and key_file; nil if none of them is there.
func (u *URL) tls() *tls.Config {
	caFile, certFile, keyFile := u.Text("ca_file"), u.Text("cert_file"), u.Text("key_file")
	if caFile+certFile+keyFile == "" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			u.fail("ca_file", "the file cannot be read: %w", withoutPath(err))
		}
		config.RootCAs = x509.NewCertPool()
		if err == nil && !config.RootCAs.AppendCertsFromPEM(pem) {
			u.fail("ca_file", "the file holds no certificate in PEM form")
		}
	}
	switch {
	case certFile == "" && keyFile == "":
	case certFile == "" || keyFile == "":
		u.fail("cert_file", "cert_file and key_file belong together")
	default:
		certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			u.fail("cert_file", "cert_file and key_file cannot be used: %w", withoutPath(err))
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config
}
