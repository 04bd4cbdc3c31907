package consulstore

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

func noTLS() *tls.Config { return nil }

// unconnected makes a client that nothing is sent with.
func unconnected(t *testing.T) *api.Client { return newBare(t, "localhost:8500").Client }

// Every rule has its message, and all that are broken are named at once.
func TestOptions_Invalid_AreRefused(t *testing.T) {
	for _, test := range []struct {
		options Options
		want    []string
	}{
		{Options{Prefix: "p", NoPrefix: true}, []string{`Prefix "p" and NoPrefix exclude each other`}},
		{Options{Prefix: "p\xff"}, []string{"not valid UTF-8"}},
		{Options{Prefix: "a/features"}, []string{`"features" must not be a part after a slash`}},
		{Options{Prefix: "a//segments/b"}, []string{`"segments" must not`}},
		{Options{Prefix: "a/big_segments_user"}, []string{`"big_segments_user" must not`}},
		{Options{Consistency: 3}, []string{"Consistency 3 is unknown"}},
		{Options{Consistency: -1}, []string{"Consistency -1 is unknown"}},
		{Options{Token: "secret", TokenFile: "f"}, []string{"Token and TokenFile exclude each other"}},
		{Options{TLS: &tls.Config{MinVersion: tls.VersionTLS12}, LiveTLS: noTLS}, []string{"TLS and LiveTLS exclude each other"}},
		{Options{MaxItemSize: -1}, []string{"MaxItemSize -1 is negative"}},
		{Options{MaxTransactionSize: -1}, []string{"MaxTransactionSize -1 is negative"}},
		{Options{MaxTransactionSize: -1, MaxItemSize: -2}, []string{"MaxTransactionSize", "MaxItemSize"}},
	} {
		_, openErr := Open(t.Context(), &test.options)
		_, newErr := New(t.Context(), unconnected(t), &test.options)
		_, openBigErr := OpenBigSegments(t.Context(), &test.options)
		_, newBigErr := NewBigSegments(t.Context(), unconnected(t), &test.options)
		for _, err := range []error{openErr, newErr, openBigErr, newBigErr} {
			require.ErrorIs(t, err, core.ErrInvalid)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
		}
	}
}

// Prefixes that only look like those that are refused are prefixes.
func TestOptions_Prefix_IsUsedAsItIs(t *testing.T) {
	for _, prefix := range []string{"features", "a/featuresque", "a/b/c", "a/", "/a", "a//", "$inited", "..", "é"} {
		store, err := Open(t.Context(), &Options{Prefix: prefix})
		require.NoError(t, err, prefix)
		require.Equal(t, prefix+"/features/k", store.kv.keys.item(core.Flags, "k"))
		require.NoError(t, store.Close())
	}
}

// What is for a client of our own cannot be given beside one of the caller's.
func TestNew_UnusableClient_IsRefused(t *testing.T) {
	_, err := New(t.Context(), nil, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
	for _, opts := range []Options{
		{LiveTLS: noTLS}, {Address: "localhost"}, {Token: "secret"}, {TokenFile: "f"}, {TLS: &tls.Config{MinVersion: tls.VersionTLS12}},
	} {
		_, err := New(t.Context(), unconnected(t), &opts)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, "are for Open")
	}
}

// Addresses are checked, and not repeated: a password may be in them.
func TestOpen_Address_IsChecked(t *testing.T) {
	withTLS := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{Address: "redis://hunter2"}, "unknown scheme; known are http, https and unix"},
		{Options{Address: "https://user:hunter2@host"}, "must not have a user name or password"},
		{Options{Address: "user:hunter2@host:8500"}, "must not have a user name or password"},
		{Options{Address: "http://:8500"}, "has no host"},
		{Options{Address: "http://host:hunter2"}, "is no URL and no host:port"},
		{Options{Address: "unix://"}, "has no path"},
		{Options{Address: "http://host?token=hunter2"}, "must not have a query"},
		{Options{Address: "http://host", TLS: withTLS}, "says http:// beside TLS"},
		{Options{TokenFile: "/no/such/hunter2"}, "token file cannot be used"},
	} {
		_, err := Open(t.Context(), &test.options)
		require.ErrorIs(t, err, core.ErrInvalid, test.want)
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), "hunter2")
		_, err = OpenBigSegments(t.Context(), &test.options)
		require.ErrorIs(t, err, core.ErrInvalid, test.want)
	}
	empty := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	_, err := Open(t.Context(), &Options{TokenFile: empty})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "is empty")
}

// The environment fills in what the options leave out, as it does for Consul's own tools.
func TestOpen_Environment_FillsIn(t *testing.T) {
	address := optionsFor(t, "").Address
	t.Setenv(api.HTTPAddrEnvName, address)
	store, err := Open(t.Context(), &Options{Prefix: storetest.Prefix()})
	require.NoError(t, err)
	require.NoError(t, store.CheckAvailability(t.Context()))
	require.NoError(t, store.Close())

	t.Setenv(api.HTTPAddrEnvName, "https://user:hunter2@host")
	_, err = Open(t.Context(), nil)
	require.ErrorIs(t, err, core.ErrInvalid)
	require.NotContains(t, err.Error(), "hunter2")

	t.Setenv(api.HTTPAddrEnvName, address)
	t.Setenv(api.HTTPCAFile, "/no/such/file")
	_, err = Open(t.Context(), nil)
	require.ErrorIs(t, err, core.ErrInvalid)
}

// Nil options are the defaults.
func TestOptions_Nil_MeansDefaults(t *testing.T) {
	store, err := Open(t.Context(), nil)
	require.NoError(t, err)
	options := store.kv.options
	require.NotNil(t, options.Logger)
	options.Logger = nil
	require.Equal(t, Options{
		Prefix: "launchdarkly", MaxItemSize: 512 << 10, MaxTransactionSize: 512 << 10,
	}, options)
	require.NoError(t, store.Close())
}

// Nil contexts are refused by constructors too.
func TestConstructors_NilContext_IsRefused(t *testing.T) {
	_, newErr := New(nil, unconnected(t), nil)
	_, openErr := Open(nil, nil)
	_, newBigErr := NewBigSegments(nil, unconnected(t), nil)
	_, openBigErr := OpenBigSegments(nil, nil)
	for _, err := range []error{newErr, openErr, newBigErr, openBigErr} {
		require.ErrorIs(t, err, core.ErrInvalid)
	}
}
