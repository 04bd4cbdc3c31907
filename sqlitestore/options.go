package sqlitestore

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cleatdev/cleat/core"
)

// Defaults of [Options].
const (
	DefaultBusyTimeout   = 4 * time.Second
	DefaultWatchInterval = 20 * time.Millisecond
)

// Options configures a [Store] or [BigSegments]. The zero value of each field means its default, and nil Options mean
// all defaults.
type Options struct {
	// Prefix separates stores that share a file: a store sees and changes only what was written under its own prefix.
	// Any text will do; it is compared as a whole. The default is the empty prefix, which is one like any other.
	Prefix string
	// BusyTimeout is for how long an operation waits while other processes keep the database locked, unless its context ends
	// before; 0 means 4 s. Only writing waits.
	BusyTimeout time.Duration
	// WatchInterval is how often Watch looks for changes; 0 means 20 ms. It has no effect on a BigSegments.
	WatchInterval time.Duration
	// ReadOnly opens the database without ever writing: it is neither created nor brought up to date, and writing methods
	// return core.ErrReadOnly. It serves files on read-only media as well as files that another process writes.
	ReadOnly bool
	// Logger gets a warning when a database cannot be opened, or only be read; nil means slog.Default().
	Logger *slog.Logger

	now func() time.Time // for the updated_at columns; tests replace it
}

// withDefaults returns a copy of the options, which may be nil, with every default filled in.
func (o *Options) withDefaults() (*Options, error) {
	var options Options
	if o != nil {
		options = *o
	}
	if err := options.validate(); err != nil {
		return nil, err
	}
	setDefault(&options.BusyTimeout, DefaultBusyTimeout)
	setDefault(&options.WatchInterval, DefaultWatchInterval)
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.now == nil {
		options.now = time.Now
	}
	return &options, nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// validate returns an error that names every option that is out of range.
func (o *Options) validate() error {
	var errs []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"BusyTimeout", o.BusyTimeout},
		{"WatchInterval", o.WatchInterval},
	} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("sqlitestore: %w: %s %v is negative", core.ErrInvalid, d.name, d.value))
		}
	}
	return errors.Join(errs...)
}
