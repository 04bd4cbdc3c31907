package dynamostore

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/tlstest"
	"github.com/cleatdev/cleat/storeurl"
)

// What is wrong with an endpoint's certificate, and the setting that helps, if one does, is said.
func TestSchemes_EndpointsCertificateIsRefused_SaysWhatToDo(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	valid, expired := tlstest.Listen(t, a.Issue(t, nil)), tlstest.Listen(t, a.Issue(t, tlstest.Expired))
	for _, test := range []struct {
		trusted             *tlstest.Authority
		address, want, lack string
	}{
		{other, valid, "is named by Options.HTTPClient, or by the file of AWS_CA_BUNDLE", "invalid since"},
		{a, expired, "has been invalid since ", "AWS_CA_BUNDLE"},
	} {
		t.Setenv("AWS_CA_BUNDLE", test.trusted.File(t))
		u, err := storeurl.Parse("dynamodb://table?region="+region+"&endpoint=https://"+test.address, nil)
		require.NoError(t, err)
		store, err := Schemes()[0].OpenStore(t.Context(), u)
		require.NoError(t, err)
		_, _, err = store.Get(t.Context(), core.Flags, "k")
		require.NoError(t, store.Close())
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), test.lack)
	}
}

// A client of the caller's has a configuration of its own, and no option of ours would help.
func TestNew_EndpointsCertificateIsRefused_NamesTheClientsConfiguration(t *testing.T) {
	a := tlstest.NewAuthority(t)
	endpoint := "https://" + tlstest.Listen(t, a.Issue(t, nil))
	client := dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: &endpoint, Credentials: testCredentials(),
		HTTPClient: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12},
		}},
	})
	store, err := New(t.Context(), client, "table", nil)
	require.NoError(t, err)
	_, _, err = store.Get(t.Context(), core.Flags, "k")
	require.NoError(t, store.Close())
	require.ErrorContains(t, err, "is named by the TLS configuration of the client")
}
