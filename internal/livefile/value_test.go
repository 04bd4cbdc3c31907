package livefile_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/livefile"
	"github.com/cleatdev/cleat/internal/secrettest"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// replace puts another file in the place of the one at path.
func replace(t *testing.T, path, content string) {
	t.Helper()
	write(t, path+".new", content)
	require.NoError(t, os.Rename(path+".new", path))
}

func secretFile(t *testing.T, logger *slog.Logger, content string) (path string, secret *livefile.Value[string]) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	write(t, path, content)
	secret, err := livefile.Secret(logger, "the thing", path)
	require.NoError(t, err)
	return path, secret
}

func TestValue_Current_FollowsTheFile(t *testing.T) {
	path, secret := secretFile(t, nil, "first\n")
	require.Equal(t, "first", secret.Current())
	write(t, path, "written over ")
	require.Equal(t, "written over ", secret.Current())
	replace(t, path, "other file...")
	require.Equal(t, "other file...", secret.Current())
}

// Kubernetes mounts a secret as links to a link to a directory, which is swapped.
func TestValue_Current_FollowsSwappedLinks(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"1", "2"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		write(t, filepath.Join(dir, version, "password"), "secret"+version)
	}
	require.NoError(t, os.Symlink("1", filepath.Join(dir, "..data")))
	path := filepath.Join(dir, "password")
	require.NoError(t, os.Symlink("..data/password", path))
	secret, err := livefile.Secret(nil, "", path)
	require.NoError(t, err)
	require.Equal(t, "secret1", secret.Current())
	require.NoError(t, os.Symlink("2", filepath.Join(dir, "..new")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
	require.Equal(t, "secret2", secret.Current())
}

func TestValue_Current_UnusableForAMoment_KeepsTheLastAndLogsOnce(t *testing.T) {
	var log secrettest.Log
	path, secret := secretFile(t, log.Logger(), "first")
	for _, spoil := range []func(){
		func() { require.NoError(t, os.Remove(path)) },
		func() { write(t, path, "\n") },
		func() { require.NoError(t, os.Remove(path)); require.NoError(t, os.Mkdir(path, 0o700)) },
	} {
		before := secret.Current()
		require.Empty(t, log.Take())
		spoil()
		for range 3 {
			require.Equal(t, before, secret.Current())
		}
		said := log.Take()
		require.Equal(t, 1, strings.Count(said, "\n"), said)
		require.Contains(t, said, "the thing")
		require.NotContains(t, said, path)
		require.NoError(t, os.RemoveAll(path))
		write(t, path, before+"+")
		require.Equal(t, before+"+", secret.Current())
	}
}

func TestSecret_UnusableAtFirst_IsAnErrorWithoutThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	_, err := livefile.Secret(nil, "", path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotContains(t, err.Error(), path)
	write(t, path, " \r\n")
	_, err = livefile.Secret(nil, "", path)
	require.ErrorIs(t, err, livefile.ErrEmpty)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err = livefile.Secret(nil, "", path)
	require.Error(t, err)
	require.NotContains(t, err.Error(), path)
}

func TestValue_Current_UnchangedFile_IsNotReadAgain(t *testing.T) {
	reads := 0
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "x")
	v, err := livefile.New(nil, "", func([][]byte) (int, error) { reads++; return reads, nil }, path)
	require.NoError(t, err)
	for range 3 {
		require.Equal(t, 1, v.Current())
	}
	replace(t, path, "x")
	require.Equal(t, 2, v.Current())
}
