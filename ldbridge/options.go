package ldbridge

import (
	"log/slog"
	"time"

	"github.com/cleatdev/cleat/internal/lifecycle"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

// Defaults of [Options].
const (
	DefaultReadTimeout    = lifecycle.DefaultRead
	DefaultReadAllTimeout = lifecycle.DefaultReadAll
	DefaultWriteTimeout   = lifecycle.DefaultWrite
	DefaultInitTimeout    = lifecycle.DefaultInit
)

// openTimeout bounds the opening of a store, which cannot be configured by what the opening may yet find out.
const openTimeout = 60 * time.Second

// Options says how long the SDK may wait for the store, because the SDK's interfaces carry no context. The zero value of
// each field means its default. A call that takes longer fails with [core.ErrUnavailable].
type Options struct {
	// ReadTimeout ends every read of one item, of a big segment membership or of metadata, and every check whether the
	// store is initialised or available; 0 means 2 s.
	ReadTimeout time.Duration
	// ReadAllTimeout ends every read of all items of a kind; 0 means 10 s. A big segment store does not use it.
	ReadAllTimeout time.Duration
	// WriteTimeout ends every upsert; 0 means 5 s. A big segment store does not use it.
	WriteTimeout time.Duration
	// InitTimeout ends every Init; 0 means 60 s. A big segment store does not use it.
	InitTimeout time.Duration
}

// newOptions returns what nil or not nil options mean, or an error that names every field that is out of range.
func newOptions(opts *Options) (Options, error) {
	if opts == nil {
		opts = new(Options)
	}
	return *opts, opts.validate()
}

func (o Options) limits() lifecycle.Limits {
	return lifecycle.Limits{Read: o.ReadTimeout, ReadAll: o.ReadAllTimeout, Write: o.WriteTimeout, Init: o.InitTimeout}
}

func (o Options) validate() error {
	return optioncheck.NotNegative("ldbridge", o)
}

// newGroup returns the group of the calls of one store.
func newGroup() *lifecycle.Group { return lifecycle.New("ldbridge", slog.Default()) }
