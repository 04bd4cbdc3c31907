package filedata

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cleatdev/cleat/core"
)

// tooLargeError is returned for a file above the limit.
type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("is larger than the limit of %d bytes (Options.MaxFileSize)", e.limit)
}

var errNotRegular = errors.New("is not a regular file")

// readFile returns the contents of a file. Anything but a regular file is refused before it is opened, because opening a
// pipe would block.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	if info.Size() > limit {
		return nil, &tooLargeError{limit}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, &tooLargeError{limit} // it grew
	}
	return data, err
}

func kindOfReadError(err error) core.DataSourceErrorKind {
	var tooLarge *tooLargeError
	if errors.As(err, &tooLarge) || errors.Is(err, errNotRegular) {
		return core.DataSourceErrorInvalidData
	}
	return core.DataSourceErrorNetwork
}

// stamp tells whether a file was written without reading it.
type stamp struct {
	info    os.FileInfo // nil if there is no telling
	settled bool        // written long enough ago for a later write to have a later time
}

// settleTime exceeds the resolution of the times that file systems keep.
const settleTime = 2 * time.Second

func newStamp(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info: info, settled: time.Since(info.ModTime()) > settleTime}
}

// sameStamps reports whether the files are certainly those that the earlier stamps were taken of.
func sameStamps(earlier, now []stamp) bool {
	if len(earlier) != len(now) {
		return false
	}
	for i, was := range earlier {
		is := now[i]
		if was.info == nil || is.info == nil || !was.settled || !os.SameFile(was.info, is.info) ||
			was.info.Size() != is.info.Size() || !was.info.ModTime().Equal(is.info.ModTime()) ||
			was.info.Mode() != is.info.Mode() {
			return false
		}
	}
	return true
}
