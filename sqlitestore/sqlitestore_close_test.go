package sqlitestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func TestStore_Writes_WhileAnotherProcessKeepsTheFileLocked_AreUnavailableAfterBusyTimeout(t *testing.T) {
	path := tempPath(t)
	s := openStore(t, path, &sqlitestore.Options{BusyTimeout: 20 * time.Millisecond})
	upsert(t, s, "f", 1)
	unlock := lockForWriting(t, path)
	_, err := s.Upsert(t.Context(), core.Flags, "f", live("f", 2, 1).Item)
	requireBusy(t, err)
	requireBusy(t, s.Init(t.Context(), flags(1, 1, 1)))
	require.Equal(t, 1, versionOf(t.Context(), t, s, "f"), "reads go on")
	unlock()
	require.True(t, upsert(t, s, "f", 2).Written)
}

func TestStore_Upsert_WhileAnotherProcessKeepsTheFileLocked_EndsWithItsContext(t *testing.T) {
	path := tempPath(t)
	s := openStore(t, path, &sqlitestore.Options{BusyTimeout: time.Hour})
	unlock := lockForWriting(t, path)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Upsert(ctx, core.Flags, "f", live("f", 2, 1).Item)
	require.Equal(t, context.DeadlineExceeded, err)
}

func TestStore_Upsert_BehindAWriteOfTheSameStore_EndsWithItsContext(t *testing.T) {
	path := tempPath(t)
	inside, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := openStore(t, path, sqlitestore.Options{}.WithNow(func() time.Time {
		once.Do(func() { close(inside); <-finish })
		return time.UnixMilli(1)
	}))
	done := make(chan error, 1)
	go func() { done <- s.Init(t.Context(), flags(1, 1, 1)) }()
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Upsert(ctx, core.Flags, "f", live("f", 1, 1).Item)
	require.Equal(t, context.DeadlineExceeded, err)
	close(finish)
	require.NoError(t, <-done)
	upsert(t, s, "f", 1)
}

func requireBusy(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, core.ErrUnavailable)
	var cause *sqlite.Error
	require.ErrorAs(t, err, &cause)
	require.Equal(t, sqlite3.SQLITE_BUSY, cause.Code()&0xff)
}

// lockForWriting keeps the write lock until unlock is called.
func lockForWriting(t *testing.T, path string) (unlock func()) {
	t.Helper()
	conn, err := openBare(t, path).Conn(context.Background())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	return sync.OnceFunc(func() {
		_, err := conn.ExecContext(context.Background(), "ROLLBACK")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	})
}

func TestStore_Close_IsIdempotentAndEverythingElseIsClosed(t *testing.T) {
	path := tempPath(t)
	s, err := sqlitestore.New(t.Context(), path, nil)
	require.NoError(t, err)
	upsert(t, s, "f", 1)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	for name, method := range storeMethods(s) {
		require.ErrorIs(t, method(t.Context()), core.ErrClosed, name)
	}
	requireNoHandle(t, path)
	require.Equal(t, []string{"flags.db"}, names(t, filepath.Dir(path)), "everything is in the one file")
}

func TestStore_Close_DuringWritesAndReads_WaitsForThem(t *testing.T) {
	path := tempPath(t)
	s, err := sqlitestore.New(t.Context(), path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Init(t.Context(), flags(5000, 1, 100)))
	var running sync.WaitGroup
	errs := make(chan error, 10)
	loop := func(call func(round int) error) {
		running.Go(func() {
			for round := 0; ; round++ {
				if err := call(round); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	started := make(chan struct{}, 1)
	for range 3 {
		loop(func(int) error { _, err := s.GetAll(t.Context(), core.Flags); return err })
		loop(func(round int) error {
			if round == 1 {
				select {
				case started <- struct{}{}:
				default:
				}
			}
			return s.Init(t.Context(), flags(5000, round, 100))
		})
	}
	<-started
	require.NoError(t, s.Close())
	requireNoHandle(t, path)
	running.Wait()
	close(errs)
	count := 0
	for err := range errs {
		count++
		require.ErrorIs(t, err, core.ErrClosed)
	}
	require.Equal(t, 6, count)
}

func TestStore_Close_DuringABusyWait_EndsItWithErrClosed(t *testing.T) {
	path := tempPath(t)
	s, err := sqlitestore.New(t.Context(), path, &sqlitestore.Options{BusyTimeout: time.Hour})
	require.NoError(t, err)
	unlock := lockForWriting(t, path)
	defer unlock()
	called, done := make(chan struct{}), make(chan error, 2)
	for range 2 {
		go func() {
			called <- struct{}{}
			_, err := s.Upsert(t.Context(), core.Flags, "f", live("f", 1, 1).Item)
			done <- err
		}()
		<-called
	}
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-done, core.ErrClosed)
	require.ErrorIs(t, <-done, core.ErrClosed)
}

// requireNoHandle checks that this process has no file open whose name begins with path.
func requireNoHandle(t *testing.T, path string) {
	t.Helper()
	const handles = "/proc/self/fd"
	entries, err := os.ReadDir(handles)
	if errors.Is(err, os.ErrNotExist) {
		return // no such directory on this system
	}
	require.NoError(t, err)
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join(handles, entry.Name()))
		if err == nil {
			require.False(t, strings.HasPrefix(target, path), target)
		}
	}
}
