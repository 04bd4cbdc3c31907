package backends

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
)

func parsed(t *testing.T, text string) *URL {
	t.Helper()
	u, err := parseURL(text, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return u
}

// What a URL names as a file is read again when it has changed.
func TestURL_LiveSecret_FollowsTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	u := parsed(t, "redis://me@h?password_file="+file)
	current, credentials := u.LiveSecret("password"), u.credentials()
	require.NoError(t, u.Check())
	require.Equal(t, "first", current())
	require.NoError(t, os.WriteFile(file+".new", []byte("second\r\n"), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
	require.Equal(t, "second", current())
	username, password, err := credentials(t.Context())
	require.NoError(t, err)
	require.Equal(t, "me", username)
	require.Equal(t, "second", password)
	require.NoError(t, os.Remove(file))
	require.Equal(t, "second", current())
}

func TestURL_LiveSecret_OfAVariable_AndNone(t *testing.T) {
	t.Setenv("CLEAT_TEST_SECRET", "s3cr3t")
	u := parsed(t, "redis://h?password_env=CLEAT_TEST_SECRET")
	username, password, err := u.credentials()(t.Context())
	require.NoError(t, err)
	require.Empty(t, username)
	require.Equal(t, "s3cr3t", password)
	require.Nil(t, parsed(t, "redis://me:pw@h").credentials())
	bad := parsed(t, "redis://h?password_file=/no/such/file")
	require.Nil(t, bad.credentials())
	require.ErrorIs(t, bad.Check(), core.ErrInvalid)
}

// Every adapter logs where the registry says.
func TestURL_Logger_ReachesEveryAdapter(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	for text, loggerOf := range map[string]func(u *URL) (*slog.Logger, error){
		"redis://h":    func(u *URL) (*slog.Logger, error) { o, err := redisOptions(u); return o.options.Logger, err },
		"consul://h":   func(u *URL) (*slog.Logger, error) { o, err := consulOptions(u); return o.Logger, err },
		"dynamodb://t": func(u *URL) (*slog.Logger, error) { o, err := dynamoOptions(u); return o.options.Logger, err },
		"sqlite:///x":  func(u *URL) (*slog.Logger, error) { o, err := sqliteOptions(u); return o.options.Logger, err },
	} {
		u, _, err := New().WithLogger(logger).parse(t.Context(), text)
		require.NoError(t, err)
		got, err := loggerOf(u)
		require.NoError(t, err)
		require.Same(t, logger, got, text)
	}
}

func TestURL_LiveTLS_FollowsTheFile(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, certificate, 0o600))
	u := parsed(t, "rediss://h?ca_file="+file)
	config := u.liveTLS()
	require.NoError(t, u.Check())
	before := config()
	require.Same(t, before, config())
	require.NoError(t, os.WriteFile(file+".new", append(certificate, certificate...), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
	require.NotSame(t, before, config())
	require.Nil(t, parsed(t, "rediss://h").liveTLS())
	require.Nil(t, parsed(t, "rediss://h").tls())
}

// The name that certificates bear stands beside the files, and without them.
func TestURL_RedisTLS_ServerName(t *testing.T) {
	o, err := redisOptions(parsed(t, "rediss://h?tls_server_name=redis.example.com"))
	require.NoError(t, err)
	require.Equal(t, "redis.example.com", o.options.LiveTLS().ServerName)
	require.Equal(t, uint16(tls.VersionTLS12), o.options.LiveTLS().MinVersion)
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, certificate, 0o600))
	o, err = redisOptions(parsed(t, "rediss+cluster://h?tls_server_name=redis.example.com&ca_file="+file))
	require.NoError(t, err)
	require.Equal(t, "redis.example.com", o.options.LiveTLS().ServerName)
	require.NotNil(t, o.options.LiveTLS().RootCAs)
}
