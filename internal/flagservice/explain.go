package flagservice

import (
	"fmt"

	"github.com/cleatdev/cleat/internal/tlsadvice"
)

// Explain returns an error of an HTTP client without its URL, which might contain a password, and with what to do about it if no
// TLS connection could be made. The settings are those of the client's HTTP client.
func Explain(err error) error {
	cause := WithoutURL(err)
	advice := tlsadvice.For(cause, tlsadvice.Settings{
		Authorities:       "Config.HTTP.CAFile (http.ca_file in a configuration file, or CLEAT_HTTP_CA_FILE) or by your own HTTP client",
		ClientCertificate: "Config.HTTP.Transport, or your own HTTP client",
		Plain:             "check the port in the service's URI, which begins with http instead of https for a service without TLS",
	})
	if advice == "" {
		return cause
	}
	return fmt.Errorf("%w; %s", cause, advice)
}
