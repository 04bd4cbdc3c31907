package sqlitestore_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

// requireHeals expects a store that is opened while something is in its way to fail with the reason, and to work as soon as
// that is gone.
func requireHeals(t *testing.T, path, reason string, remove func()) {
	t.Helper()
	var log bytes.Buffer
	options := &sqlitestore.Options{BusyTimeout: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	s, big := openStore(t, path, options), openBigSegments(t, path, options)
	require.Contains(t, log.String(), "the database cannot be opened")
	for range 2 {
		_, bigErr := big.Metadata(t.Context())
		_, _, err := s.Get(t.Context(), core.Flags, "f")
		_, writeErr := s.Upsert(t.Context(), core.Flags, "f", live("f", 1, 1).Item)
		for _, err := range []error{err, bigErr, writeErr, s.CheckAvailability(t.Context())} {
			require.ErrorIs(t, err, core.ErrUnavailable)
			require.NotErrorIs(t, err, core.ErrCorrupt, "which concerns single items")
			require.ErrorContains(t, err, reason)
			require.ErrorContains(t, err, path)
		}
	}
	remove()
	require.True(t, upsert(t, s, "f", 1).Written)
	require.Equal(t, 1, versionOf(t.Context(), t, s, "f"))
	require.NoError(t, big.SetLastUpToDate(t.Context(), 1))
	requireIntegrity(t, path)
}

func TestNew_InAMissingDirectory_HealsWhenItIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "flags.db")
	requireHeals(t, path, "create it first", func() { require.NoError(t, os.Mkdir(filepath.Dir(path), 0o750)) })
}

func TestNew_BelowAFile_HealsWhenItIsADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	requireHeals(t, filepath.Join(file, "flags.db"), "is not a directory", func() {
		require.NoError(t, os.Remove(file))
		require.NoError(t, os.Mkdir(file, 0o750))
	})
}

func TestNew_WhileAnotherProcessKeepsTheFileLocked_HealsWhenItIsFree(t *testing.T) {
	path := tempPath(t)
	locker, err := openBare(t, path).Conn(context.Background())
	require.NoError(t, err)
	_, err = locker.ExecContext(t.Context(), "BEGIN EXCLUSIVE; CREATE TABLE t (x)")
	require.NoError(t, err)
	requireHeals(t, path, "locked", func() {
		_, err = locker.ExecContext(context.Background(), "ROLLBACK")
		require.NoError(t, err)
		require.NoError(t, locker.Close())
	})
}

func TestNew_OfWhatIsNoDatabase_LeavesItAsItIsAndHealsWhenItIsReplaced(t *testing.T) {
	for name, content := range map[string][]byte{
		"short text": []byte("hello"), "long text": bytes.Repeat([]byte("text "), 10_000),
		"half a header": []byte("SQLite format 3\x00\x10\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			path := tempPath(t)
			require.NoError(t, os.WriteFile(path, content, 0o600))
			before := directory(t, filepath.Dir(path))
			requireHeals(t, path, "not a database; it was left as it is", func() {
				require.Equal(t, before, directory(t, filepath.Dir(path)), "file, time of change, and no files beside it")
				requireNoHandle(t, path)
				replacement := filepath.Join(t.TempDir(), "replacement.db")
				s, err := sqlitestore.New(t.Context(), replacement, nil)
				require.NoError(t, err)
				require.NoError(t, s.Close())
				require.NoError(t, os.Rename(replacement, path))
			})
		})
	}
}

func TestStore_AfterADirectoryTookItsPlace_IsUnavailableUntilItIsGone(t *testing.T) {
	path := tempPath(t)
	s := openStore(t, path, nil)
	upsert(t, s, "f", 5)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o750))
	_, _, err := s.Get(t.Context(), core.Flags, "f")
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "is not a file")
	require.NoError(t, os.Remove(path))
	require.True(t, upsert(t, s, "f", 1).Written)
}

// A write lock that another process keeps for longer than BusyTimeout leaves everything that reads alone.
func TestStore_WhileAnotherProcessKeepsTheWriteLock_OpensAndReads(t *testing.T) {
	path := tempPath(t)
	createStore(t, path, 1)
	unlock := lockForWriting(t, path)
	defer unlock()
	s := openStore(t, path, &sqlitestore.Options{BusyTimeout: 20 * time.Millisecond})
	for range 3 {
		_, err := s.Upsert(t.Context(), core.Flags, "f", live("f", 2, 1).Item)
		requireBusy(t, err)
		start := time.Now()
		require.Equal(t, 1, versionOf(t.Context(), t, s, "f"))
		items, err := s.GetAll(t.Context(), core.Flags)
		require.NoError(t, err)
		require.Len(t, items, 1)
		initialized, err := s.Initialized(t.Context())
		require.NoError(t, err)
		require.True(t, initialized)
		require.NoError(t, s.CheckAvailability(t.Context()))
		require.Less(t, time.Since(start), 5*time.Second, "none of it waits for the lock, which is not given back")
	}
	unlock()
	require.True(t, upsert(t, s, "f", 2).Written)
}
