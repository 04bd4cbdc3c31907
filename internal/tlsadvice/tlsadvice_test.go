package tlsadvice_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/internal/tlsadvice"
	"github.com/cleatdev/cleat/internal/tlstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings has a word of its own for each setting.
func settings() tlsadvice.Settings {
	return tlsadvice.Settings{
		Authorities: "ca_file", ServerName: "tls_server_name", ClientCertificate: "cert_file and key_file", Plain: "use plain",
	}
}

// dial makes a connection and reads from it, which is when a client learns that TLS 1.3 servers refuse its certificate.
func dial(ctx context.Context, address string, config *tls.Config) error {
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err = conn.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func TestFor_ServersCertificate_AdviceFitsTheFailure(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	expiry, beginning := time.Now().Add(-time.Minute).UTC().Truncate(time.Second), time.Now().Add(time.Minute).UTC().Truncate(time.Second)
	for name, test := range map[string]struct {
		change  func(*x509.Certificate)
		trusted *tlstest.Authority
		want    string
	}{
		"valid": {nil, a, ""},
		"unknown authority": {
			nil, other, `see that the authority that issued the certificate is named by ca_file; it is "` + tlstest.AuthorityName + `"`,
		},
		"expired": {
			func(c *x509.Certificate) { c.Subject, c.NotAfter = pkix.Name{CommonName: "server"}, expiry }, a,
			`the certificate of "CN=server" has been invalid since ` + expiry.Format(time.RFC3339) +
				", and no setting helps: renew it, or check this machine's clock",
		},
		"not yet valid": {
			func(c *x509.Certificate) { c.NotBefore = beginning }, a,
			"the certificate is not valid before " + beginning.Format(time.RFC3339) +
				", and no setting helps: check this machine's clock, or renew the certificate",
		},
		"another name": {
			func(c *x509.Certificate) {
				c.DNSNames, c.IPAddresses = []string{"a.example.com", "b.example.com"}, []net.IP{net.IPv4(192, 0, 2, 1)}
			}, a,
			`reach the server by a name that its certificate bears ("a.example.com, b.example.com, 192.0.2.1"), or set that name: tls_server_name`,
		},
		"many names": {
			func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"a", "b", "c", "d", "e", "f"}, nil }, a,
			`reach the server by a name that its certificate bears ("a, b, c, d, e, and others"), or set that name: tls_server_name`,
		},
		"no name": {
			func(c *x509.Certificate) { c.Subject, c.IPAddresses = pkix.Name{CommonName: "127.0.0.1"}, nil }, a,
			"no setting helps: the server needs a certificate that bears its name as a subject alternative name",
		},
		"not for servers": {
			func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, a,
			"no setting helps: the server needs a certificate, or an authority behind it, without this fault",
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := tlstest.Listen(t, a.Issue(t, test.change))
			err := dial(t.Context(), address, &tls.Config{RootCAs: test.trusted.Pool, MinVersion: tls.VersionTLS12})
			require.Equal(t, test.want == "", err == nil, err)
			require.Equal(t, test.want, tlsadvice.For(fmt.Errorf("wrapped: %w", err), settings()))
		})
	}
}

// An authority that has expired is named, although the server's own certificate is valid.
func TestFor_AuthorityHasExpired_IsNamed(t *testing.T) {
	a := tlstest.NewAuthority(t)
	expired := a.Certificate.Leaf.NotAfter
	config := &tls.Config{RootCAs: a.Pool, MinVersion: tls.VersionTLS12, Time: func() time.Time { return expired.Add(time.Second) }}
	address := tlstest.Listen(t, a.Issue(t, func(c *x509.Certificate) { c.NotAfter = expired.Add(time.Hour) }))
	advice := tlsadvice.For(dial(t.Context(), address, config), settings())
	require.Contains(t, advice, fmt.Sprintf("%q has been invalid since %s", tlstest.AuthorityName, expired.Format(time.RFC3339)))
}

func TestFor_ClientsCertificate_NamesItsSettings(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	expired := a.Issue(t, tlstest.Expired)
	foreign := other.Issue(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, certificates := range map[string][]tls.Certificate{"none": nil, "expired": {expired}, "another authority's": {foreign}} {
			if version == tls.VersionTLS12 && certificates == nil {
				continue // an alert that may mean anything
			}
			t.Run(fmt.Sprintf("%s, %s", tls.VersionName(version), name), func(t *testing.T) {
				address := tlstest.Serve(t, &tls.Config{
					Certificates: []tls.Certificate{a.Issue(t, nil)}, MinVersion: version, MaxVersion: version,
					ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool,
				})
				config := &tls.Config{RootCAs: a.Pool, MinVersion: tls.VersionTLS12}
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if certificates == nil {
						return &tls.Certificate{}, nil
					}
					return &certificates[0], nil // also if the server says that it will not trust it
				}
				err := dial(t.Context(), address, config)
				require.Equal(t, "the server wants a client certificate that it can verify: see cert_file and key_file",
					tlsadvice.For(err, settings()), err)
			})
		}
	}
}

func TestFor_ServerSpeaksNoTLS_SaysWhatToUseInstead(t *testing.T) {
	const want = "the server does not speak TLS at this port, and nothing secret was sent; use plain"
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	err := dial(t.Context(), server.Listener.Addr().String(), &tls.Config{MinVersion: tls.VersionTLS12})
	require.Equal(t, want, tlsadvice.For(err, settings()), err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+server.Listener.Addr().String(), http.NoBody)
	require.NoError(t, err)
	_, err = server.Client().Do(request) //nolint:bodyclose // there is none
	require.Equal(t, want, tlsadvice.For(err, settings()), err)
}

// What is not known, and what is not about TLS, gets no advice.
func TestFor_OtherError_IsEmpty(t *testing.T) {
	for _, err := range []error{
		nil, io.EOF, &net.OpError{Op: "dial", Err: errors.New("tls: certificate required")}, &net.OpError{Op: "remote error"},
		&net.OpError{Op: "remote error", Err: tls.AlertError(80)}, x509.SystemRootsError{},
	} {
		require.Empty(t, tlsadvice.For(err, settings()), err)
	}
}

// A client that the user made has a configuration of its own, and no setting of ours is named.
func TestFor_NoSettings_NamesTheClientsConfiguration(t *testing.T) {
	a := tlstest.NewAuthority(t)
	address := tlstest.Listen(t, a.Issue(t, nil))
	err := dial(t.Context(), address, &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12})
	require.Contains(t, tlsadvice.For(err, tlsadvice.Settings{}), "is named by the TLS configuration of the client; it is")
	err = dial(t.Context(), address, &tls.Config{RootCAs: a.Pool, MinVersion: tls.VersionTLS12, ServerName: "other.example.com"})
	require.Equal(t, `reach the server by a name that its certificate bears ("127.0.0.1"), and check whether a proxy answers in its place`,
		tlsadvice.For(err, tlsadvice.Settings{}))
}
