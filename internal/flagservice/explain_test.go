package flagservice

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/tlstest"
)

// describeTLS returns the message about a service at the address.
func describeTLS(t *testing.T, address string, roots *x509.CertPool) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	endpoint, err := NewEndpoint(core.ClientSettings{HTTPClient: client}.WithDefaults(), "https://"+address, "all", "")
	require.NoError(t, err)
	_, err = endpoint.Get(t.Context(), nil) //nolint:bodyclose // there is none
	require.Error(t, err)
	return Describe(err).Message
}

func TestDescribe_TLSFails_AdviceNamesTheSetting(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	message := describeTLS(t, tlstest.Listen(t, a.Issue(t, nil)), other.Pool)
	require.Contains(t, message, "Config.HTTP.CAFile (http.ca_file in a configuration file, or CLEAT_HTTP_CA_FILE)")
	require.Contains(t, message, tlstest.AuthorityName)
	require.NotContains(t, message, "renew")

	message = describeTLS(t, tlstest.Listen(t, a.Issue(t, tlstest.Expired)), a.Pool)
	require.Contains(t, message, "has been invalid since")
	require.NotContains(t, message, "CAFile", "its authority is trusted")

	named := func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"flags.example.com"}, nil }
	message = describeTLS(t, tlstest.Listen(t, a.Issue(t, named)), a.Pool)
	require.Contains(t, message, `a name that its certificate bears ("flags.example.com")`)
	require.NotContains(t, message, "CAFile", "its authority is trusted")

	wantsClients := &tls.Config{
		Certificates: []tls.Certificate{a.Issue(t, nil)}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert,
	}
	require.Contains(t, describeTLS(t, tlstest.Serve(t, wantsClients), a.Pool), "see Config.HTTP.Transport")
}

// The cause stays within reach, and the text has no URL.
func TestExplain_Failure_KeepsTheCause(t *testing.T) {
	cause := x509.UnknownAuthorityError{}
	err := Explain(&url.Error{Op: "Get", URL: "https://secret", Err: cause})
	require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
	require.NotContains(t, err.Error(), "secret")
}
