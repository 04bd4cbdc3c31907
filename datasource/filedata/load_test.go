package filedata

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Files that cannot be loaded are read again and again; what is only strange about the others is logged when all is well.
func TestLoader_Load_LogsUnknownPropertiesOnce(t *testing.T) {
	var log bytes.Buffer
	directory := t.TempDir()
	strange, broken := filepath.Join(directory, "strange.yaml"), filepath.Join(directory, "broken.yaml")
	require.NoError(t, os.WriteFile(strange, []byte("flags: {}\nx: 1\n"), 0o600))
	require.NoError(t, os.WriteFile(broken, []byte("flags: 1\n"), 0o600))
	l := loader{
		options: Options{Paths: []string{strange, broken}, MaxFileSize: DefaultMaxFileSize},
		logger:  slog.New(slog.NewTextHandler(&log, nil)),
	}
	for range 3 {
		_, _, err := l.load()
		require.ErrorContains(t, err, broken)
	}
	require.Empty(t, log.String())
	require.NoError(t, os.WriteFile(broken, []byte("flags: {}\n"), 0o600))
	for range 3 {
		_, _, err := l.load()
		require.NoError(t, err)
	}
	require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	require.Contains(t, log.String(), "line=2 property=x")
}
