package sqlitestore_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

const inNamespace = "CLEAT_SQLITESTORE_NAMESPACE"

// withMounts runs the test again in a process that may mount file systems for itself, with or without being root.
func withMounts(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Getenv(inNamespace) != "" {
		test(t)
		return
	}
	attributes := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		attributes = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
	}
	runAgain(t, attributes, inNamespace+"=yes")
}

// runAgain runs the test in a process of its own, with one more environment variable.
func runAgain(t *testing.T, attributes *syscall.SysProcAttr, variable string) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), variable)
	cmd.SysProcAttr = attributes
	output, err := cmd.CombinedOutput()
	if attributes != nil && errors.Is(err, syscall.EPERM) {
		t.Skip("this system allows no process to mount a file system")
	}
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "--- PASS: "+t.Name())
}

// mountMemory mounts a file system of the given size, which ends with the test.
func mountMemory(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "mounted")
	require.NoError(t, os.Mkdir(dir, 0o750))
	require.NoError(t, syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

func TestStore_OnAReadOnlyFileSystem_ReadsGoOnAndWritesAreReadOnly(t *testing.T) {
	withMounts(t, func(t *testing.T) {
		dir := mountMemory(t, "10m")
		path := filepath.Join(dir, "flags.db")
		createStore(t, path, 1)
		require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		for _, readOnly := range []bool{false, true} {
			var log bytes.Buffer
			s, err := sqlitestore.New(t.Context(), path,
				&sqlitestore.Options{ReadOnly: readOnly, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.NoError(t, err)
			require.Equal(t, 1, versionOf(t.Context(), t, s, "f"))
			requireReadOnly(t, s)
			require.Equal(t, !readOnly, bytes.Contains(log.Bytes(), []byte("read-only")), log.String())
			require.NoError(t, s.Close())
		}
		reading, missing := openQuietly(t, path), openQuietly(t, filepath.Join(dir, "new.db"))
		requireReadOnly(t, reading)
		_, err := missing.Initialized(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, ""))
		require.True(t, upsert(t, reading, "f", 2).Written, "noticed with the next write")
		require.True(t, upsert(t, reading, "f", 3).Written)
		require.Equal(t, 3, versionOf(t.Context(), t, reading, "f"))
		require.True(t, upsert(t, missing, "f", 1).Written)
	})
}

func TestStore_WithALogOnAReadOnlyFileSystem_ReadsWhatIsInTheLog(t *testing.T) {
	withMounts(t, func(t *testing.T) {
		original, dir := tempPath(t), mountMemory(t, "10m")
		upsert(t, openStore(t, original, nil), "f", 7)
		path := filepath.Join(dir, "flags.db")
		for _, suffix := range []string{"", "-wal", "-shm"} { // as a killed process leaves them
			content, err := os.ReadFile(original + suffix)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path+suffix, content, 0o600))
		}
		require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		s := openStore(t, path, &sqlitestore.Options{Logger: slog.New(slog.DiscardHandler)})
		require.Equal(t, 7, versionOf(t.Context(), t, s, "f"))
		requireReadOnly(t, s)
	})
}

func TestStore_OnAFullFileSystem_ReadsGoOnAndWritesAreReadOnlyUntilThereIsSpace(t *testing.T) {
	withMounts(t, func(t *testing.T) {
		dir := mountMemory(t, "2m")
		s := openStore(t, filepath.Join(dir, "flags.db"), nil)
		require.NoError(t, s.Init(t.Context(), flags(10, 1, 100)))
		ballast := filepath.Join(dir, "ballast")
		require.NoError(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))

		require.ErrorIs(t, s.Init(t.Context(), flags(1000, 2, 1000)), core.ErrReadOnly)
		requireWholeSet(t, s, 10, 1, 1)
		version := 1
		var err error
		for err == nil {
			version++
			_, err = s.Upsert(t.Context(), core.Flags, "f", live("f", version, 50_000).Item)
			require.Less(t, version, 1000, "the file system fills up")
		}
		require.ErrorIs(t, err, core.ErrReadOnly)
		_, err = s.GetAll(t.Context(), core.Flags)
		require.NoError(t, err)
		require.NoError(t, s.CheckAvailability(t.Context()))
		another := openQuietly(t, filepath.Join(dir, "another.db"))
		_, err = another.Upsert(t.Context(), core.Flags, "f", live("f", 1, 1).Item)
		require.ErrorIs(t, err, core.ErrReadOnly)
		_, _, err = another.Get(t.Context(), core.Flags, "f")
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.NoError(t, s.Close())
		s = openQuietly(t, filepath.Join(dir, "flags.db"))
		_, err = s.GetAll(t.Context(), core.Flags)
		require.NoError(t, err, "also of a store that is opened on a full disk")

		require.NoError(t, os.Remove(ballast))
		require.NoError(t, s.Init(t.Context(), flags(100, 3, 100)))
		requireWholeSet(t, s, 100, 3, 3)
		upsert(t, another, "f", 1)
	})
}

func TestStore_WithoutPermissions_ReadsGoOnAndWritesAreReadOnly(t *testing.T) {
	if path := os.Getenv(childPath); path != "" {
		useWithoutPermissions(t, path)
		return
	}
	path := tempPath(t)
	createStore(t, path, 1)
	createStore(t, path+"-unreadable", 1)
	dir := filepath.Dir(path)
	require.NoError(t, os.Chmod(path+"-unreadable", 0))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, os.Chmod(path, 0o444))
	require.NoError(t, os.Chmod(dir, 0o555))
	t.Cleanup(func() { require.NoError(t, os.Chmod(dir, 0o750)) })
	before := names(t, dir)
	runAgain(t, nil, childPath+"="+path)
	require.Equal(t, before, names(t, dir))
}

// useWithoutPermissions uses a database that it may read and not write, as a user for whom permissions count.
func useWithoutPermissions(t *testing.T, path string) {
	if os.Geteuid() == 0 {
		require.NoError(t, errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)))
	}
	s := openStore(t, path, &sqlitestore.Options{Logger: slog.New(slog.DiscardHandler)})
	require.Equal(t, 1, versionOf(t.Context(), t, s, "f"))
	requireReadOnly(t, s)
	require.ErrorIs(t, openQuietly(t, path+"new").CheckAvailability(t.Context()), core.ErrUnavailable)
	err := openQuietly(t, path+"-unreadable").CheckAvailability(t.Context())
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "check the permissions")
}

func TestNew_OfAFileThatThisProcessHasOpen_LeavesItsSharedLockAlone(t *testing.T) {
	if path := os.Getenv(childPath); path != "" {
		requireSharedLock(t, path)
		return
	}
	path := tempPath(t)
	createStore(t, path, 1)
	s := openStore(t, path, nil)
	openAndClose(t, path) // without a log
	runAgain(t, nil, childPath+"="+path)
	require.False(t, upsert(t, s, "f", 1).Written)
	upsert(t, s, "g", 1)
	openAndClose(t, path) // with a log
	runAgain(t, nil, childPath+"="+path)
}

// requireSharedLock checks that another process holds SQLite's shared lock, the one that keeps the write-ahead log.
func requireSharedLock(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 0x40000002, Len: 510}
	require.NoError(t, syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock))
	require.EqualValues(t, syscall.F_RDLCK, lock.Type)
}
