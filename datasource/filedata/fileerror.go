package filedata

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

// positionError says where in a file something is wrong. Line 0 means that there is no telling.
type positionError struct {
	line int
	err  error
}

func (e *positionError) Error() string {
	if e.line == 0 {
		return e.err.Error()
	}
	return fmt.Sprintf("line %d: %v", e.line, e.err)
}

func (e *positionError) Unwrap() error { return e.err }

func errorAt(line int, format string, args ...any) error {
	return &positionError{line: line, err: fmt.Errorf(format, args...)}
}

// lineOf returns the number of the line in which the byte at the offset is.
func lineOf(data []byte, offset int64) int {
	offset = max(0, min(offset, int64(len(data))))
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}

// fileError says which file cannot be used and why.
type fileError struct {
	path string
	kind core.DataSourceErrorKind
	err  error
}

func (e *fileError) Error() string { return fmt.Sprintf("flag data file %q: %v", e.path, e.err) }

func (e *fileError) Unwrap() error { return e.err }

// errorInfo describes an error of loading for the status of the data source.
func errorInfo(err error) core.DataSourceErrorInfo {
	info := core.DataSourceErrorInfo{Kind: core.DataSourceErrorUnknown, Message: err.Error()}
	var inFile *fileError
	if errors.As(err, &inFile) {
		info.Kind = inFile.kind
	}
	return info
}
