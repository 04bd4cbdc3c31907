package caching

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

// Defaults of [Options].
const (
	DefaultReadTimeout    = 2 * time.Second
	DefaultReadAllTimeout = 10 * time.Second
	DefaultWriteTimeout   = 5 * time.Second
	DefaultInitTimeout    = 60 * time.Second
	DefaultCheckInterval  = 10 * time.Second
	DefaultMinRetryDelay  = 250 * time.Millisecond
	DefaultMaxRetryDelay  = 2 * time.Second

	defaultMaxReadOnlyRetryDelay = time.Minute
)

// Options configures a [CachingStoreWrapper]. The zero value of each field means its default.
type Options struct {
	// Mode says how long answers are kept; by default TTL([DefaultTTL]).
	Mode Mode
	// Capacity is how many keys are kept at most, over all kinds; 0 means no limit. When it is reached, further keys are
	// read from the database each time until others expire. It has no effect on what Init brings, which is always kept
	// whole. How many keys are remembered as unknown is limited in any case.
	Capacity int
	// MaxStale is for how long after its time to live an item may still be used while the database is unavailable; 0
	// means as long as the process lives, because a known old value beats a default.
	MaxStale time.Duration
	// ReadTimeout ends every Get, Initialized and availability check of the database; 0 means 2 s. It also bounds for how long a
	// caller of Init or Upsert waits for the database, which memory is ahead of then.
	ReadTimeout time.Duration
	// ReadAllTimeout ends every GetAll; 0 means 10 s.
	ReadAllTimeout time.Duration
	// WriteTimeout ends every Upsert of the database; 0 means 5 s.
	WriteTimeout time.Duration
	// InitTimeout ends every Init of the database; 0 means 60 s.
	InitTimeout time.Duration
	// CheckInterval is how often a healthy database is asked whether it is still there and initialised; 0 means 10 s.
	CheckInterval time.Duration
	// MinRetryDelay and MaxRetryDelay bound the growing, jittered time between two availability checks during an outage; 0
	// means 250 ms and 2 s, or a minute between two attempts to write to a database that can only be read.
	MinRetryDelay, MaxRetryDelay time.Duration
	// DisableWatch is true if the database is not to be watched for changes by others, although it can be. They then show
	// when cached items expire, and raise no change.
	DisableWatch bool
	// AcceptWipe is true if a database that was initialised and is found empty is to be believed: what vanished from it
	// then counts as deleted when cached items expire. By default that is treated as an outage that needs recovery.
	AcceptWipe bool
	// Logger gets what goes wrong; nil means slog.Default().
	Logger *slog.Logger

	// Tests replace these two, which are called by several goroutines at once.
	now    func() time.Time
	random func() float64 // in [0,1), for jitter

	maxReadOnlyRetryDelay time.Duration // what MaxRetryDelay means while the database is read-only
}

// validate returns an error that names every option that is out of range.
func (o *Options) validate() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("caching: %w: "+format, append([]any{core.ErrInvalid}, args...)...))
	}
	if err := o.Mode.validate(); err != nil {
		refuse("Mode: %w", err)
	}
	errs = append(errs, optioncheck.NotNegative("caching", *o))
	if o.MinRetryDelay > 0 && o.MaxRetryDelay > 0 && o.MinRetryDelay > o.MaxRetryDelay {
		refuse("MinRetryDelay %v exceeds MaxRetryDelay %v", o.MinRetryDelay, o.MaxRetryDelay)
	}
	return errors.Join(errs...)
}

func (o *Options) setDefaults() {
	o.ReadTimeout = cmp.Or(o.ReadTimeout, DefaultReadTimeout)
	o.ReadAllTimeout = cmp.Or(o.ReadAllTimeout, DefaultReadAllTimeout)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, DefaultWriteTimeout)
	o.InitTimeout = cmp.Or(o.InitTimeout, DefaultInitTimeout)
	o.CheckInterval = cmp.Or(o.CheckInterval, DefaultCheckInterval)
	o.MinRetryDelay = cmp.Or(o.MinRetryDelay, DefaultMinRetryDelay)
	o.maxReadOnlyRetryDelay = max(cmp.Or(o.MaxRetryDelay, defaultMaxReadOnlyRetryDelay), o.MinRetryDelay)
	o.MaxRetryDelay = max(cmp.Or(o.MaxRetryDelay, DefaultMaxRetryDelay), o.MinRetryDelay)
	o.MaxStale = min(o.MaxStale, longest)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.random == nil {
		o.random = rand.Float64
	}
}
