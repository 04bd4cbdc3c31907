package filedata

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

// Defaults of [Options].
const (
	DefaultMaxFileSize  = 256 << 20
	DefaultDebounce     = 50 * time.Millisecond
	DefaultPollInterval = 5 * time.Second
)

// DuplicateKeys says what happens to a flag or segment that is there twice.
type DuplicateKeys int

const (
	// DuplicateKeysFail means that the data is refused. It is the default.
	DuplicateKeysFail DuplicateKeys = iota
	// DuplicateKeysFirstWins means that the first one counts, in the order of [Options].Paths and within a file in that
	// of the text, and that the others are ignored.
	DuplicateKeysFirstWins
)

// Options configures a data source that reads files. The zero value of each field but Paths means its default.
type Options struct {
	// Paths names the files; at least one is required. Relative paths are relative to the working directory at the time
	// when the data source is made.
	Paths []string
	// Reload is true if the files are to be read again when they change.
	Reload bool
	// DuplicateKeys says what happens to a flag or segment that is there twice; by default the data is refused.
	DuplicateKeys DuplicateKeys
	// MaxFileSize is the size in bytes above which a file is refused; 0 means 256 MB.
	MaxFileSize int64
	// Debounce is how long the files must have been left alone before they are read again, so that several writes cause
	// one reload; 0 means 50 ms. While writes do not stop, they are read after twenty times as long.
	Debounce time.Duration
	// PollInterval is how often the files are looked at when the file system sends no notifications; 0 means 5 s.
	PollInterval time.Duration
}

// maxDebounces is how many times Debounce a reload may be put off.
const maxDebounces = 20

func (o Options) validate() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("filedata: %w: "+format, append([]any{core.ErrInvalid}, args...)...))
	}
	if len(o.Paths) == 0 {
		refuse("Paths names no file")
	}
	for i, path := range o.Paths {
		if path == "" {
			refuse("Paths[%d] is empty", i)
		}
	}
	if o.DuplicateKeys != DuplicateKeysFail && o.DuplicateKeys != DuplicateKeysFirstWins {
		refuse("DuplicateKeys %d is unknown", o.DuplicateKeys)
	}
	errs = append(errs, optioncheck.NotNegative("filedata", o, "DuplicateKeys"))
	return errors.Join(errs...)
}

// withDefaults returns a copy in which every field is set and every path absolute.
func (o Options) withDefaults() (Options, error) {
	paths := make([]string, len(o.Paths))
	for i, path := range o.Paths {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return Options{}, fmt.Errorf("filedata: Paths[%d]: %w", i, err)
		}
		paths[i] = absolute
	}
	o.Paths = paths
	if o.MaxFileSize == 0 {
		o.MaxFileSize = DefaultMaxFileSize
	}
	if o.Debounce == 0 {
		o.Debounce = DefaultDebounce
	}
	if o.PollInterval == 0 {
		o.PollInterval = DefaultPollInterval
	}
	return o, nil
}
