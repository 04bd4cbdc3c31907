package livefile

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
)

// Value is made of the contents of files, and made again when one of them has changed. It is safe for concurrent use.
type Value[T any] struct {
	paths  []string
	parse  func(contents [][]byte) (T, error)
	failed func(error)

	mu      sync.Mutex
	seen    []os.FileInfo // of the files that current was made of
	current T
	failing bool
}

// New makes the value for the first time, and fails if a file cannot be read or if parse fails. parse gets the contents in
// the order of the paths. Later failures are logged as those of the given thing, such as "the parameter ca_file"; a nil logger
// is [slog.Default].
func New[T any](logger *slog.Logger, thing string, parse func(contents [][]byte) (T, error), paths ...string) (*Value[T], error) {
	v := &Value[T]{paths: paths, parse: parse}
	v.failed = func(err error) {
		if logger == nil {
			logger = slog.Default()
		}
		logger.Warn("cleat: a file has changed and cannot be used; what it held before stays in use", "of", thing, "error", err)
	}
	if err := v.renew(); err != nil {
		return nil, err
	}
	return v, nil
}

// Current returns the value of what the files hold now, or the last one that could be made.
func (v *Value[T]) Current() T {
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.renew()
	if err != nil && !v.failing {
		v.failed(err)
	}
	v.failing = err != nil
	return v.current
}

// renew makes the value again if it is not that of the files.
func (v *Value[T]) renew() error {
	found, err := stat(v.paths)
	if err != nil || sameFiles(v.seen, found) {
		return err
	}
	contents := make([][]byte, len(v.paths))
	for i, path := range v.paths {
		if contents[i], err = os.ReadFile(path); err != nil {
			return withoutPath(err)
		}
	}
	value, err := v.parse(contents)
	if err != nil {
		return err
	}
	v.seen, v.current = found, value
	return nil
}

func stat(paths []string) (found []os.FileInfo, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, withoutPath(err)
		}
		found = append(found, info)
	}
	return found, nil
}

func sameFiles(seen, found []os.FileInfo) bool {
	if seen == nil {
		return false
	}
	for i, was := range seen {
		is := found[i]
		if !os.SameFile(was, is) || was.Size() != is.Size() || !was.ModTime().Equal(is.ModTime()) {
			return false
		}
	}
	return true
}

// withoutPath returns the cause of an error about a file.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}
