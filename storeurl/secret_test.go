package storeurl_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/storeurl"
)

func parsed(t *testing.T, text string) *storeurl.URL {
	t.Helper()
	u, err := storeurl.Parse(text, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return u
}

// What a URL names as a file is read again when it has changed.
func TestURL_LiveSecret_FollowsTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	u := parsed(t, "redis://me@h?password_file="+file)
	current := u.LiveSecret("password")
	require.NoError(t, u.Check())
	require.Equal(t, "first", current())
	require.NoError(t, os.WriteFile(file+".new", []byte("second\r\n"), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
	require.Equal(t, "second", current())
	require.NoError(t, os.Remove(file))
	require.Equal(t, "second", current())
}

func TestURL_LiveSecret_OfAVariable_AndNone(t *testing.T) {
	t.Setenv("CLEAT_TEST_SECRET", "s3cr3t")
	u := parsed(t, "redis://h?password_env=CLEAT_TEST_SECRET")
	require.Equal(t, "s3cr3t", u.LiveSecret("password")())
	require.Nil(t, parsed(t, "redis://me:pw@h").LiveSecret("password"))
	bad := parsed(t, "redis://h?password_file=/no/such/file")
	require.Nil(t, bad.LiveSecret("password"))
	require.ErrorIs(t, bad.Check(), core.ErrInvalid)
}
