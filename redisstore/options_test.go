package redisstore

import (
	"crypto/tls"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// unconnected makes a client that nothing is sent with.
func unconnected(t *testing.T) *redis.Client { return clientFor(t, "redis://localhost") }

// Every rule has its message, and all that are broken are named at once.
func TestOptions_Invalid_AreRefused(t *testing.T) {
	for _, test := range []struct {
		options Options
		want    []string
	}{
		{Options{Prefix: "p", NoPrefix: true}, []string{`Prefix "p" and NoPrefix exclude each other`}},
		{Options{MaxItemSize: -1}, []string{"MaxItemSize -1 is negative"}},
		{Options{Prefix: "p", NoPrefix: true, MaxItemSize: -2}, []string{"NoPrefix", "MaxItemSize"}},
		{
			Options{TLS: &tls.Config{MinVersion: tls.VersionTLS12}, LiveTLS: func() *tls.Config { return nil }},
			[]string{"TLS and LiveTLS exclude each other"},
		},
	} {
		_, openErr := Open(t.Context(), "redis://localhost", &test.options)
		_, newErr := New(t.Context(), unconnected(t), &test.options)
		_, openBigErr := OpenBigSegments(t.Context(), "redis://localhost", &test.options)
		for _, err := range []error{openErr, newErr, openBigErr} {
			require.ErrorIs(t, err, core.ErrInvalid)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
		}
	}
}

// A client is needed, and TLS is for clients that are made here.
func TestNew_UnusableClient_IsRefused(t *testing.T) {
	for _, client := range []redis.UniversalClient{
		nil, (*redis.Client)(nil), (*redis.ClusterClient)(nil), (*redis.Ring)(nil),
	} {
		_, err := New(t.Context(), client, nil)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, "client is nil")
	}
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "localhost:1", "b": "localhost:2"}})
	t.Cleanup(func() { require.NoError(t, ring.Close()) })
	_, err := New(t.Context(), ring, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, `a prefix with a hash tag, such as "{launchdarkly}"`)
	for name, client := range map[string]redis.UniversalClient{
		"single":  redis.NewClient(&redis.Options{}),
		"cluster": redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"localhost:1"}}),
	} {
		_, newErr := New(t.Context(), client, nil)
		_, bigErr := NewBigSegments(t.Context(), client, nil)
		for _, err := range []error{newErr, bigErr} {
			require.ErrorIs(t, err, core.ErrInvalid, name)
			require.ErrorContains(t, err, "ContextTimeoutEnabled is not set", name)
		}
		require.NoError(t, client.Close())
	}
	_, err = New(t.Context(), unconnected(t), &Options{TLS: &tls.Config{MinVersion: tls.VersionTLS12}})
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = Open(t.Context(), "redis://localhost", &Options{TLS: &tls.Config{MinVersion: tls.VersionTLS12}})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "rediss://")
}

// Nil options are the defaults.
func TestOptions_Nil_MeansDefaults(t *testing.T) {
	store, err := Open(t.Context(), "redis://localhost", nil)
	require.NoError(t, err)
	options := store.options
	require.NotNil(t, options.Logger)
	options.Logger = nil
	require.Equal(t, Options{Prefix: "launchdarkly", MaxItemSize: 512 << 20}, options)
	require.NoError(t, store.Close())
}
