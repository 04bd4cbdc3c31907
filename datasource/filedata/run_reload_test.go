package filedata_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/filedata"
)

// flagJSON returns a flag "a" of the version, and text a file with it.
func flagJSON(version int) string {
	return whole("features/a", fmt.Sprintf(`{"key":"a","version":%d}`, version))
}

func text(version int) string { return `{"flags":{"a":` + flagJSON(version) + `}}` }

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// replace writes another file and renames it over the path.
func replace(t *testing.T, path, text string) {
	t.Helper()
	overwrite(t, path+".new", text)
	require.NoError(t, os.Rename(path+".new", path))
}

func TestSource_Reload_NoticesEveryWayToChangeAFile(t *testing.T) {
	path := write(t, "f.json", text(1))
	s := newSink()
	start(t, s, watching(path))
	s.waitForFlag(t, "a", flagJSON(1))

	overwrite(t, path, text(2))
	s.waitForFlag(t, "a", flagJSON(2))
	replace(t, path, text(3))
	s.waitForFlag(t, "a", flagJSON(3))
	replace(t, path, text(4))
	s.waitForFlag(t, "a", flagJSON(4))
	overwrite(t, path, text(5))
	s.waitForFlag(t, "a", flagJSON(5))

	require.NoError(t, os.Remove(path))
	s.waitForError(t, core.DataSourceErrorNetwork, path)
	require.Equal(t, flagJSON(5), s.items()["features/a"])
	overwrite(t, path, text(6))
	s.waitForFlag(t, "a", flagJSON(6))
	s.waitForState(t, core.DataSourceValid)
}

// Kubernetes mounts a config map as links into a directory that is itself a link, which it swaps.
func TestSource_Reload_NoticesSwappedLinks(t *testing.T) {
	mount := t.TempDir()
	publish := func(version int) {
		directory := filepath.Join(mount, fmt.Sprintf("..%d", version))
		require.NoError(t, os.Mkdir(directory, 0o700))
		overwrite(t, filepath.Join(directory, "f.json"), text(version))
		require.NoError(t, os.Symlink(filepath.Base(directory), filepath.Join(mount, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")))
		require.NoError(t, os.RemoveAll(filepath.Join(mount, fmt.Sprintf("..%d", version-1))))
	}
	publish(1)
	path := filepath.Join(mount, "f.json")
	require.NoError(t, os.Symlink(filepath.Join("..data", "f.json"), path))
	s := newSink()
	start(t, s, watching(path))
	s.waitForFlag(t, "a", flagJSON(1))
	for version := 2; version <= 5; version++ {
		publish(version)
		s.waitForFlag(t, "a", flagJSON(version))
	}
	overwrite(t, filepath.Join(mount, "..5", "f.json"), text(6))
	s.waitForFlag(t, "a", flagJSON(6))
}

func TestSource_Reload_NoticesAbsoluteLinkToAnotherDirectory(t *testing.T) {
	target := write(t, "target.json", text(1))
	path := filepath.Join(t.TempDir(), "f.json")
	require.NoError(t, os.Symlink(target, path))
	s := newSink()
	start(t, s, watching(path))
	s.waitForFlag(t, "a", flagJSON(1))
	overwrite(t, target, text(2))
	s.waitForFlag(t, "a", flagJSON(2))
	replace(t, path, text(3)) // the link becomes a file
	s.waitForFlag(t, "a", flagJSON(3))
}

func TestSource_Reload_NoticesDirectoriesThatComeAndGo(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(directory, "f.json")
	s := newSink()
	start(t, s, watching(path))
	s.waitForError(t, core.DataSourceErrorNetwork, path)
	for version := 1; version <= 3; version++ {
		require.NoError(t, os.MkdirAll(directory, 0o700))
		overwrite(t, path, text(version))
		s.waitForFlag(t, "a", flagJSON(version))
		s.waitForState(t, core.DataSourceValid)
		require.NoError(t, os.RemoveAll(filepath.Dir(directory)))
		s.waitForError(t, core.DataSourceErrorNetwork, path)
	}
}

func TestSource_Reload_KeepsTheLastGoodDataUntilTheFileIsMended(t *testing.T) {
	path := write(t, "f.json", text(1))
	s := newSink()
	options := watching(path)
	options.MaxFileSize = 1000
	start(t, s, options)
	s.waitForState(t, core.DataSourceValid)
	for i, broken := range []struct{ text, want string }{
		{text(2)[:20], "line 1: unexpected end"},
		{"{\n\n!", "line 3"},
		{"", "empty"},
		{string(make([]byte, 2000)), "larger than the limit"},
		{`{"flags":{"a":{"on":"perhaps"}}}`, "must be a"},
	} {
		overwrite(t, path, broken.text)
		eventually(t, func() bool { return s.last().state == core.DataSourceInterrupted }, broken.want)
		s.waitForErrorMessage(t, broken.want)
		require.Equal(t, core.DataSourceErrorInvalidData, s.last().err.Kind)
		require.Equal(t, flagJSON(i+1), s.items()["features/a"])

		overwrite(t, path, text(i+2))
		s.waitForState(t, core.DataSourceValid)
		s.waitForFlag(t, "a", flagJSON(i+2))
	}
}

// waitForErrorMessage waits because a file that is being overwritten is empty for a moment.
func (s *sink) waitForErrorMessage(t *testing.T, want string) {
	t.Helper()
	eventually(t, func() bool { return strings.Contains(s.last().err.Message, want) }, want)
}

func TestSource_Reload_BrokenAtFirstIsMendedLater(t *testing.T) {
	path := write(t, "f.json", "{")
	s := newSink()
	source := start(t, s, watching(path))
	s.waitForError(t, core.DataSourceErrorInvalidData, path)
	require.False(t, source.Initialized())
	require.False(t, ended(source))
	overwrite(t, path, text(1))
	s.waitForState(t, core.DataSourceValid)
	require.True(t, source.Initialized())
}

func TestSource_Reload_BackToTheLastGoodTextNeedsNoInit(t *testing.T) {
	path := write(t, "f.json", text(1))
	s := newSink()
	start(t, s, watching(path))
	s.waitForState(t, core.DataSourceValid)
	overwrite(t, path, "{")
	s.waitForState(t, core.DataSourceInterrupted)
	overwrite(t, path, text(1))
	s.waitForState(t, core.DataSourceValid)
	require.Equal(t, 1, s.initCount())
}

func TestSource_Reload_OneOfSeveralFilesBreaks(t *testing.T) {
	good, bad := write(t, "good.json", text(1)), write(t, "bad.yaml", "flagValues: {b: 1}\n")
	s := newSink()
	start(t, s, watching(good, bad))
	s.waitForState(t, core.DataSourceValid)
	overwrite(t, bad, "flagValues: [")
	s.waitForState(t, core.DataSourceInterrupted)
	overwrite(t, good, text(2)) // all or nothing
	overwrite(t, bad, "flagValues: {b: 2}\n")
	s.waitForFlag(t, "b", whole("features/b", valueFlag("2")))
	require.Equal(t, flagJSON(2), s.items()["features/a"])
}

func TestSource_Reload_PollsWithoutNotifications(t *testing.T) {
	// Of a link to a directory above the file, the file system tells nothing where the file is.
	parent := t.TempDir()
	for version := 1; version <= 2; version++ {
		directory := filepath.Join(parent, strconv.Itoa(version))
		require.NoError(t, os.Mkdir(directory, 0o700))
		overwrite(t, filepath.Join(directory, "f.json"), text(version))
	}
	link := filepath.Join(parent, "link")
	require.NoError(t, os.Symlink("1", link))
	s := newSink()
	options := watching(filepath.Join(link, "f.json"))
	options.PollInterval = 10 * time.Millisecond
	start(t, s, options)
	s.waitForFlag(t, "a", flagJSON(1))
	require.NoError(t, os.Remove(link))
	require.NoError(t, os.Symlink("2", link))
	s.waitForFlag(t, "a", flagJSON(2))
	overwrite(t, filepath.Join(parent, "2", "f.json"), text(3))
	s.waitForFlag(t, "a", flagJSON(3))
}

func TestSource_Reload_PollSkipsFilesThatWereNotWritten(t *testing.T) {
	path := write(t, "f.json", text(1))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
	s := newSink()
	options := watching(path)
	options.PollInterval = time.Millisecond
	start(t, s, options)
	s.waitForFlag(t, "a", flagJSON(1))
	overwrite(t, path, text(2))
	s.waitForFlag(t, "a", flagJSON(2))
	require.Equal(t, 2, s.initCount())
}

func TestSource_StaleStore_GetsEverythingAgain(t *testing.T) {
	for _, reload := range []bool{false, true} {
		t.Run(fmt.Sprintf("reload %v", reload), func(t *testing.T) {
			options := watching(write(t, "f.json", text(1)))
			options.Reload = reload
			s := newSink()
			start(t, s, options)
			s.waitForState(t, core.DataSourceValid)
			s.setStore(core.DataStoreStatus{Available: false}, nil)
			s.setStore(core.DataStoreStatus{Available: true, Stale: true}, nil)
			eventually(t, func() bool { return s.initCount() == 2 }, "a second Init")
			s.setStore(core.DataStoreStatus{Available: true}, nil)
			require.Equal(t, flagJSON(1), s.items()["features/a"])
		})
	}
}

func TestSource_StoreRefuses_ValidOnceTheStoreHasTheData(t *testing.T) {
	refused := errors.New("store is down")
	for _, stale := range []bool{false, true} {
		t.Run(fmt.Sprintf("stale %v", stale), func(t *testing.T) {
			s := newSink()
			s.setStore(core.DataStoreStatus{Available: false}, refused)
			source := start(t, s, watching(write(t, "f.json", text(1))))
			eventually(t, func() bool { return s.initCount() == 1 }, "an Init")
			require.False(t, source.Initialized())
			require.Zero(t, s.last(), "the sink reports what the store refuses")
			s.setStore(core.DataStoreStatus{Available: true, Stale: stale}, nil)
			s.waitForState(t, core.DataSourceValid)
			require.True(t, source.Initialized())
		})
	}
}

func TestSource_Stop_EndsEverything(t *testing.T) {
	for _, reload := range []bool{false, true} {
		options := watching(write(t, "f.json", text(1)))
		options.Reload = reload
		s := newSink()
		source := start(t, s, options)
		s.waitForState(t, core.DataSourceValid)
		source.Stop()
		source.Stop()
		eventually(t, func() bool { return ended(source) }, "the source ends")
		require.Equal(t, core.DataSourceOff, s.last().state)
		require.False(t, s.stores.HasListeners())
	}
}

func TestSource_Stop_BeforeStart(t *testing.T) {
	s := newSink()
	source, err := filedata.Source(watching(write(t, "f.json", text(1))))(core.ClientSettings{}, s)
	require.NoError(t, err)
	source.Stop()
	source.Start(t.Context())
	require.True(t, ended(source))
	require.Zero(t, s.initCount())
}

// What is no flag data file must not be taken for one without flags.
func TestSource_Reload_FileWithoutSectionsKeepsTheLastGoodData(t *testing.T) {
	path := write(t, "f.yaml", text(1))
	s := newSink()
	start(t, s, watching(path))
	s.waitForFlag(t, "a", flagJSON(1))
	replace(t, path, "# from a template\nflagz: {a: 1}\n")
	s.waitForError(t, core.DataSourceErrorInvalidData, path, "line 2", `"flagz"`, `"flagValues"`)
	require.Equal(t, 1, s.initCount())
	require.Equal(t, flagJSON(1), s.items()["features/a"])
	replace(t, path, `{"flags": {}}`)
	s.waitForState(t, core.DataSourceValid)
	require.Empty(t, s.items())
}

func TestSource_Reload_SpeaksOfGoodDataOnlyIfThereWasAny(t *testing.T) {
	var log lockedBuffer
	path := write(t, "f.json", "{")
	s := newSink()
	source, err := filedata.Source(watching(path))(core.ClientSettings{Logger: slog.New(slog.NewTextHandler(&log, nil))}, s)
	require.NoError(t, err)
	source.Start(t.Context())
	t.Cleanup(func() {
		source.Stop()
		<-source.Done()
	})
	s.waitForError(t, core.DataSourceErrorInvalidData, path)
	require.Contains(t, log.String(), "cannot be loaded; there is none yet")
	require.NotContains(t, log.String(), "stays")
	overwrite(t, path, text(1))
	s.waitForState(t, core.DataSourceValid)
	overwrite(t, path, "{")
	s.waitForState(t, core.DataSourceInterrupted)
	require.Contains(t, log.String(), "the last good data stays")
}

// lockedBuffer is a log that is written while it is read.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
