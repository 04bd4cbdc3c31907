package flagservice

import (
	"crypto/x509"
	"errors"
)

// adviseCertificate says what to do about a server's certificate that is not trusted; empty if that is not what is wrong. The
// settings are those of the client's HTTP client.
func adviseCertificate(err error) string {
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, otherName := errors.AsType[x509.HostnameError](err)
	switch {
	case isInvalid && invalid.Reason == x509.Expired:
		return "the server's certificate, or one that it depends on, has to be renewed, unless this machine's clock is wrong"
	case unknown:
		return "see that the authority that issued the server's certificate is known to the system or in the file that " +
			"Config.HTTP.CAFile (http.ca_file in a configuration file) names"
	case otherName:
		return "check the host in the base URI, and whether a proxy answers in the server's place"
	default:
		return ""
	}
}
