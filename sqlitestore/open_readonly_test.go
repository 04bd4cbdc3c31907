package sqlitestore_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

var frozen = &sqlitestore.Options{ReadOnly: true}

// createStore makes a database with flag f of the given version that no store uses.
func createStore(t *testing.T, path string, version int) {
	t.Helper()
	s, err := sqlitestore.New(t.Context(), path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Init(t.Context(), nil))
	upsert(t, s, "f", version)
	require.NoError(t, s.Close())
}

func TestStore_ReadOnly_ReadsWithoutEverWriting(t *testing.T) {
	path := tempPath(t)
	createStore(t, path, 1)
	before := directory(t, filepath.Dir(path))
	s, err := sqlitestore.New(t.Context(), path, frozen)
	require.NoError(t, err)
	require.Equal(t, 1, versionOf(t.Context(), t, s, "f"))
	items, err := s.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Len(t, items, 1)
	initialized, err := s.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
	require.NoError(t, s.CheckAvailability(t.Context()))
	requireReadOnly(t, s)
	require.Equal(t, before, directory(t, filepath.Dir(path)))
	require.NoError(t, s.Close())
	require.Equal(t, before, directory(t, filepath.Dir(path)))
	requireNoHandle(t, path)
}

func requireReadOnly(t *testing.T, s *sqlitestore.Store) {
	t.Helper()
	_, err := s.Upsert(t.Context(), core.Flags, "f", live("f", 9, 1).Item)
	require.ErrorIs(t, err, core.ErrReadOnly)
	_, err = s.ApplyChangeSet(t.Context(), nil)
	require.ErrorIs(t, err, core.ErrReadOnly)
	require.ErrorIs(t, s.Init(t.Context(), nil), core.ErrReadOnly)
}

func TestStore_ReadOnly_SeesWhatOthersWrite(t *testing.T) {
	path := tempPath(t)
	createStore(t, path, 1)
	s := openStore(t, path, frozen)
	require.Equal(t, 1, versionOf(t.Context(), t, s, "f"))
	for version := 2; version < 6; version += 2 {
		writer, err := sqlitestore.New(t.Context(), path, nil)
		require.NoError(t, err)
		upsert(t, writer, "f", version)
		require.Equal(t, version, versionOf(t.Context(), t, s, "f"), "while the writer has the file open")
		upsert(t, writer, "f", version+1)
		require.Equal(t, version+1, versionOf(t.Context(), t, s, "f"))
		require.NoError(t, writer.Close())
		require.Equal(t, version+1, versionOf(t.Context(), t, s, "f"), "and afterwards")
	}
	requireIntegrity(t, path)
}

func TestStore_ReadOnly_WhileWritersComeAndGo_ReadsCorrectly(t *testing.T) {
	path := tempPath(t)
	createStore(t, path, 1)
	s := openStore(t, path, frozen)
	done := make(chan error, 1)
	go func() {
		for version := 2; version < 40; version++ {
			if err := upsertOnce(t.Context(), path, version); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for last := 1; ; {
		version := versionOf(t.Context(), t, s, "f")
		require.GreaterOrEqual(t, version, last)
		last = version
		select {
		case err := <-done:
			require.NoError(t, err)
			require.Equal(t, 39, versionOf(t.Context(), t, s, "f"))
			return
		default:
		}
	}
}

func upsertOnce(ctx context.Context, path string, version int) error {
	s, err := sqlitestore.New(ctx, path, nil)
	if err != nil {
		return err
	}
	if _, err := s.Upsert(ctx, core.Flags, "f", live("f", version, 1).Item); err != nil {
		return err
	}
	return s.Close()
}

func TestStore_ReadOnly_AfterTheFileWasReplaced_ReadsTheNewOne(t *testing.T) {
	path := tempPath(t)
	createStore(t, path, 1)
	s := openStore(t, path, frozen)
	require.Equal(t, 1, versionOf(t.Context(), t, s, "f"))
	replacement := path + ".new"
	createStore(t, replacement, 2)
	require.NoError(t, os.Rename(replacement, path))
	require.Equal(t, 2, versionOf(t.Context(), t, s, "f"))
	require.NoError(t, os.Remove(path))
	_, _, err := s.Get(t.Context(), core.Flags, "f")
	require.ErrorIs(t, err, core.ErrUnavailable)
	createStore(t, path, 3)
	require.Equal(t, 3, versionOf(t.Context(), t, s, "f"))
}

func TestStore_ReadOnly_WithNothingToRead_IsUnavailableUntilThereIs(t *testing.T) {
	path := tempPath(t)
	s := openStore(t, path, &sqlitestore.Options{ReadOnly: true, Logger: slog.New(slog.DiscardHandler)})
	_, _, err := s.Get(t.Context(), core.Flags, "f")
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, path)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, _, err = s.Get(t.Context(), core.Flags, "f")
	require.ErrorIs(t, err, core.ErrUnavailable)
	createStore(t, path, 4)
	require.Equal(t, 4, versionOf(t.Context(), t, s, "f"))
}

func TestBigSegments_ReadOnly_ReadsGoOnAndWritesAreReadOnly(t *testing.T) {
	path := tempPath(t)
	writer, err := sqlitestore.NewBigSegments(t.Context(), path, nil)
	require.NoError(t, err)
	require.NoError(t, writer.SetLastUpToDate(t.Context(), 5))
	require.NoError(t, writer.Close())
	s := openBigSegments(t, path, frozen)
	metadata, err := s.Metadata(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 5, metadata.LastUpToDate)
	require.ErrorIs(t, s.SetLastUpToDate(t.Context(), 6), core.ErrReadOnly)
	_, err = s.ApplyPatch(t.Context(), core.BigSegmentPatch{})
	require.ErrorIs(t, err, core.ErrReadOnly)
}
