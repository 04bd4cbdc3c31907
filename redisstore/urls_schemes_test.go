package redisstore

import (
	"crypto/tls"
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/storeurl"
)

func urlOf(t *testing.T, text string) *storeurl.URL {
	t.Helper()
	u, err := storeurl.Parse(text, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return u
}

func optionsOf(t *testing.T, text string) *Options {
	t.Helper()
	o, err := urlOptions(urlOf(t, text))
	require.NoError(t, err)
	return o.options
}

// The store logs where the registry says.
func TestSchemes_Logger_ReachesTheStore(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	u, err := storeurl.Parse("redis://h", logger)
	require.NoError(t, err)
	o, err := urlOptions(u)
	require.NoError(t, err)
	require.Same(t, logger, o.options.Logger)
}

// The password of the next connection is what the file holds then.
func TestSchemes_Credentials_FollowTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	for _, text := range []string{
		"redis://me@h?password_file=" + file, "redis+sentinel://h/my?sentinel_username=me&sentinel_password_file=" + file,
	} {
		require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
		o := optionsOf(t, text)
		credentials := o.Credentials
		if credentials == nil {
			credentials = o.SentinelCredentials
		}
		for _, want := range []string{"first", "second"} {
			require.NoError(t, os.WriteFile(file+".new", []byte(want+"\n"), 0o600))
			require.NoError(t, os.Rename(file+".new", file))
			username, password, err := credentials(t.Context())
			require.NoError(t, err)
			require.Equal(t, "me", username)
			require.Equal(t, want, password)
		}
	}
}

func TestSchemes_Credentials_OfAVariable_AndNone(t *testing.T) {
	t.Setenv("CLEAT_TEST_SECRET", "s3cr3t")
	username, password, err := optionsOf(t, "redis://h?password_env=CLEAT_TEST_SECRET").Credentials(t.Context())
	require.NoError(t, err)
	require.Empty(t, username)
	require.Equal(t, "s3cr3t", password)
	require.Nil(t, optionsOf(t, "redis://me:pw@h").Credentials)
	_, err = urlOptions(urlOf(t, "redis://h?password_file=/no/such/file"))
	require.ErrorIs(t, err, core.ErrInvalid)
}

// The name that certificates bear stands beside the files, and without them.
func TestSchemes_TLSServerName(t *testing.T) {
	config := optionsOf(t, "rediss://h?tls_server_name=redis.example.com").LiveTLS()
	require.Equal(t, "redis.example.com", config.ServerName)
	require.Equal(t, uint16(tls.VersionTLS12), config.MinVersion)
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, certificate, 0o600))
	config = optionsOf(t, "rediss+cluster://h?tls_server_name=redis.example.com&ca_file="+file).LiveTLS()
	require.Equal(t, "redis.example.com", config.ServerName)
	require.NotNil(t, config.RootCAs)
}
