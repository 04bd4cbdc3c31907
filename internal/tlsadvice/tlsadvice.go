// Package tlsadvice says what to do about a TLS connection that could not be made, for all that dial.
package tlsadvice

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Settings names what the user of a package can set about its TLS connections, as the user knows it, such as "Options.TLS, or
// ca_file in the URL". An empty field says that there is no such setting; for a client that the user made, all are empty.
type Settings struct {
	// Authorities names the authorities that are trusted.
	Authorities string
	// ServerName says which name the server's certificate has to bear.
	ServerName string
	// ClientCertificate is where the client's own certificate and key are.
	ClientCertificate string
	// Plain is what to change for a server that does not speak TLS, such as "begin the URL with redis instead of rediss".
	Plain string
}

// For returns what to do about an error in one sentence without a full stop; "" if it is not one of TLS that is known. The sentence
// does not repeat the error's text.
func For(err error, settings Settings) string {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return settings.unknownAuthority(unknown.Cert)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return adviseInvalid(invalid)
	}
	if otherName, ok := errors.AsType[x509.HostnameError](err); ok {
		return settings.otherName(otherName.Certificate)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return settings.notTLS()
	}
	if refusesClient(err) {
		return "the server wants a client certificate that it can verify: see " + or(settings.ClientCertificate)
	}
	return ""
}

// or returns a setting, or what stands for one that is missing.
func or(setting string) string {
	if setting == "" {
		return "the TLS configuration of the client"
	}
	return setting
}

func (s Settings) unknownAuthority(certificate *x509.Certificate) string {
	text := "see that the authority that issued the certificate is named by " + or(s.Authorities)
	if certificate != nil && certificate.Issuer.String() != "" {
		text += fmt.Sprintf("; it is %.200q", certificate.Issuer)
	}
	return text
}

func adviseInvalid(err x509.CertificateInvalidError) string {
	const fault = "no setting helps: the server needs a certificate, or an authority behind it, without this fault"
	if err.Reason != x509.Expired || err.Cert == nil {
		return fault
	}
	which := "the certificate"
	if subject := err.Cert.Subject.String(); subject != "" {
		which += fmt.Sprintf(" of %.200q", subject)
	}
	if time.Now().Before(err.Cert.NotBefore) {
		return fmt.Sprintf("%s is not valid before %s, and no setting helps: check this machine's clock, or renew the certificate",
			which, err.Cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("%s has been invalid since %s, and no setting helps: renew it, or check this machine's clock",
		which, err.Cert.NotAfter.UTC().Format(time.RFC3339))
}

func (s Settings) otherName(certificate *x509.Certificate) string {
	const shown = 5
	names := slices.Clone(certificate.DNSNames)
	for _, address := range certificate.IPAddresses {
		names = append(names, address.String())
	}
	if len(names) == 0 {
		return "no setting helps: the server needs a certificate that bears its name as a subject alternative name"
	}
	if len(names) > shown {
		names = append(names[:shown], "and others")
	}
	text := fmt.Sprintf("reach the server by a name that its certificate bears (%.300q)", strings.Join(names, ", "))
	if s.ServerName != "" {
		return text + ", or set that name: " + s.ServerName
	}
	return text + ", and check whether a proxy answers in its place"
}

func (s Settings) notTLS() string {
	text := "the server does not speak TLS at this port, and nothing secret was sent"
	if s.Plain != "" {
		text += "; " + s.Plain
	}
	return text
}

// refusesClient reports whether a server has refused the client's certificate, or that there is none.
func refusesClient(err error) bool {
	const (
		badCertificate         = tls.AlertError(42)
		unsupportedCertificate = tls.AlertError(43)
		certificateRevoked     = tls.AlertError(44)
		certificateExpired     = tls.AlertError(45)
		certificateUnknown     = tls.AlertError(46)
		unknownAuthority       = tls.AlertError(48)
		certificateRequired    = tls.AlertError(116)
	)
	remote, ok := errors.AsType[*net.OpError](err)
	if !ok || remote.Op != "remote error" || remote.Err == nil {
		return false
	}
	// Outside of QUIC, package tls has a type of its own for alerts, which it does not export; the text tells which one it is.
	return slices.ContainsFunc([]tls.AlertError{
		badCertificate, unsupportedCertificate, certificateRevoked, certificateExpired, certificateUnknown, unknownAuthority,
		certificateRequired,
	}, func(alert tls.AlertError) bool { return remote.Err.Error() == alert.Error() })
}
