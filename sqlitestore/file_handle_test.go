package sqlitestore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func TestStore_AfterTheFileWasRemoved_MakesANewOne(t *testing.T) {
	path := tempPath(t)
	createStore(t, path, 5)
	s := openStore(t, path, nil)
	for range 3 {
		upsert(t, s, "f", 6)
		require.Equal(t, 6, versionOf(t.Context(), t, s, "f"))
		require.NoError(t, os.Remove(path))
		initialized, err := s.Initialized(t.Context())
		require.NoError(t, err)
		require.False(t, initialized, "so that the loss is noticed")
		require.True(t, upsert(t, s, "f", 1).Written)
		require.Equal(t, 1, versionOf(t.Context(), t, openStore(t, path, nil), "f"), "nothing is written where no store finds it")
		require.NoError(t, s.Init(t.Context(), nil))
	}
	requireIntegrity(t, path)
}

func TestStore_AfterTheDirectoryWasRemoved_IsUnavailableUntilItIsBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	require.NoError(t, os.Mkdir(dir, 0o750))
	path := filepath.Join(dir, "flags.db")
	s := openStore(t, path, nil)
	upsert(t, s, "f", 6)
	require.NoError(t, os.RemoveAll(dir))
	for range 2 {
		_, _, err := s.Get(t.Context(), core.Flags, "f")
		require.ErrorIs(t, err, core.ErrUnavailable)
		_, err = s.Upsert(t.Context(), core.Flags, "f", live("f", 1, 1).Item)
		require.ErrorIs(t, err, core.ErrUnavailable)
	}
	require.NoError(t, os.Mkdir(dir, 0o750))
	require.True(t, upsert(t, s, "f", 1).Written)
}
