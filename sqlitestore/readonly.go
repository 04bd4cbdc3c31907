package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cleatdev/cleat/core"
)

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

// unchanged reports whether nobody has written to the file between the two states.
func (s fileState) unchanged(other fileState) bool {
	return s.sameFile(other) && !other.hasLog && s.size == other.size && s.modified == other.modified
}

// readOnlyConnection names the database for reading without writing anything. If it has a write-ahead log, SQLite can do
// that. If it has none, SQLite would create one, unless it is told that the file is immutable; then it does not notice
// changes, and it is for handle to compare the file's states.
func (s fileState) readOnlyConnection(path string) string {
	return connectionString(path, readOnly, !s.hasLog)
}

// connectReadOnly opens the file without ever writing to it.
func (d *database) connectReadOnly(ctx context.Context) (*connections, error) {
	state, err := readFileState(d.path)
	if err != nil {
		return nil, err
	}
	found, err := inspect(ctx, d.path)
	if err != nil {
		return nil, err
	}
	if err := found.readable(); err != nil {
		return nil, err
	}
	readers, err := openPool(ctx, state.readOnlyConnection(d.path), readerCount(), d.reads)
	if err != nil {
		return nil, err
	}
	return &connections{readers: readers, state: state}, nil
}

// readable returns nil if the database can be read without changing it first.
func (h header) readable() error {
	switch {
	case h.empty():
		return fmt.Errorf("%w: the database is empty, and a store that only reads does not fill it", core.ErrUnavailable)
	case h.version != layoutVersion:
		return fmt.Errorf("%w: the database has layout version %d; open it once without Options.ReadOnly to bring it to "+
			"version %d", core.ErrIncompatible, h.version, layoutVersion)
	}
	return nil
}
