package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/cleatdev/cleat/core"
)

// resolvePath returns the absolute path of the database file, with symbolic links followed, because SQLite puts the
// write-ahead log beside the file that a link leads to.
func resolvePath(path string) (string, error) {
	switch {
	case path == "":
		return "", fmt.Errorf("%w: the path is empty; name a file, or use package memorystore to keep nothing", core.ErrInvalid)
	case path == ":memory:":
		return "", fmt.Errorf("%w: %q is no file; use package memorystore for a store in memory", core.ErrInvalid, path)
	case strings.ContainsRune(path, 0):
		return "", fmt.Errorf("%w: the path %q contains a zero byte", core.ErrInvalid, path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%w: path %q: %w", core.ErrInvalid, path, err)
	}
	if info, err := os.Stat(absolute); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w: %s is not a file (%v); name a file in a directory that exists",
			core.ErrInvalid, absolute, info.Mode().Type())
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		return resolved, nil
	}
	return absolute, nil
}

// checkDirectory returns a clear error where SQLite would only say that it cannot open the file.
func checkDirectory(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("%w: the directory of the file cannot be used; create it first: %w", core.ErrUnavailable, err)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory", core.ErrUnavailable, dir)
	}
	return nil
}

// accessMode is SQLite's mode parameter.
type accessMode string

const (
	readOnly        accessMode = "ro"
	readWrite       accessMode = "rw"
	readWriteCreate accessMode = "rwc"
)

// connectionString returns the driver's name for the database: a URI, because only that form can express every path and
// mode. With immutable, SQLite takes neither locks nor notice of a write-ahead log.
func connectionString(path string, mode accessMode, immutable bool, pragmas ...string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	// Waiting for locks is done by retryBusy, because SQLite's own waiting does not notice the end of a context.
	query := url.Values{
		"mode":      {string(mode)},
		"_error_rc": {"1"},
		"_txlock":   {"immediate"},
		"_pragma":   append([]string{"busy_timeout(0)"}, pragmas...),
	}
	if immutable {
		query.Set("immutable", "1")
	}
	uri := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return uri.String()
}

// fileState tells states of a database file apart.
type fileState struct {
	info     fs.FileInfo
	hasLog   bool // there is a write-ahead log with content
	size     int64
	modified int64 // nanoseconds
}

func readFileState(path string) (fileState, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}, fmt.Errorf("%w: %w", core.ErrUnavailable, err)
	}
	log, err := os.Stat(path + "-wal")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileState{}, fmt.Errorf("%w: %w", core.ErrUnavailable, err)
	}
	return fileState{
		info: info, hasLog: err == nil && log.Size() > 0, size: info.Size(), modified: info.ModTime().UnixNano(),
	}, nil
}

func (s fileState) sameFile(other fileState) bool { return os.SameFile(s.info, other.info) }

// unchanged reports whether no process has written to the file between the two states.
func (s fileState) unchanged(other fileState) bool {
	return s.sameFile(other) && !other.hasLog && s.size == other.size && s.modified == other.modified
}

// readOnlyConnection names the database for reading without writing anything. If it has a write-ahead log, SQLite can do
// that. If it has none, SQLite would create one, unless it is told that the file is immutable; then it does not notice
// changes, and it is for handle to compare the file's states.
func (s fileState) readOnlyConnection(path string) string {
	return connectionString(path, readOnly, !s.hasLog)
}
