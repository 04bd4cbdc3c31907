package synchronizer

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

// Defaults of [Options].
const (
	DefaultRequestTimeout  = 30 * time.Second
	DefaultReadTimeout     = 5 * time.Minute
	DefaultStoreTimeout    = 30 * time.Second
	DefaultRefreshInterval = 25 * time.Second
	DefaultMinRetryDelay   = time.Second
	DefaultMaxRetryDelay   = 30 * time.Second
	DefaultMaxSize         = 256 << 20
)

// Options configures a [Synchronizer]. The zero value of each field means its default.
type Options struct {
	// PollingURI and StreamingURI are where the flag service is; empty means the client's. They may end in a slash.
	PollingURI, StreamingURI string
	// RequestTimeout ends every poll, and is how long to wait for the response of the stream to begin; 0 means 30 s.
	RequestTimeout time.Duration
	// ReadTimeout is how long the stream may be silent; 0 means 5 min. Any byte counts, also that of a comment.
	ReadTimeout time.Duration
	// StoreTimeout ends every call of the store, of which a piece of a patch is the longest; 0 means 30 s.
	StoreTimeout time.Duration
	// RefreshInterval is the longest time between two marks that the store is up to date, not counting how long the poll
	// before takes; 0 means 25 s. Up to half of it is taken away at random. It must be shorter than the time after which
	// readers take the store for stale.
	RefreshInterval time.Duration
	// MinRetryDelay and MaxRetryDelay bound the growing time between two attempts after errors; 0 means 1 s and 30 s.
	MinRetryDelay, MaxRetryDelay time.Duration
	// MaxSize is the size in bytes above which the answer to a poll or an event is refused; 0 means 256 MB.
	MaxSize int64
}

// validate returns an error that names every option that is out of range.
func (o *Options) validate() error {
	err := optioncheck.NotNegative("synchronizer", *o)
	if o.MinRetryDelay > 0 && o.MaxRetryDelay > 0 && o.MinRetryDelay > o.MaxRetryDelay {
		err = errors.Join(err, fmt.Errorf("synchronizer: %w: MinRetryDelay %v exceeds MaxRetryDelay %v", core.ErrInvalid, o.MinRetryDelay,
			o.MaxRetryDelay))
	}
	return err
}

func (o *Options) setDefaults(settings core.ClientSettings) {
	o.PollingURI = cmp.Or(o.PollingURI, settings.Endpoints.Polling)
	o.StreamingURI = cmp.Or(o.StreamingURI, settings.Endpoints.Streaming)
	o.RequestTimeout = cmp.Or(o.RequestTimeout, DefaultRequestTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, DefaultReadTimeout)
	o.StoreTimeout = cmp.Or(o.StoreTimeout, DefaultStoreTimeout)
	o.RefreshInterval = cmp.Or(o.RefreshInterval, DefaultRefreshInterval)
	o.MinRetryDelay = cmp.Or(o.MinRetryDelay, min(DefaultMinRetryDelay, cmp.Or(o.MaxRetryDelay, DefaultMinRetryDelay)))
	o.MaxRetryDelay = max(cmp.Or(o.MaxRetryDelay, DefaultMaxRetryDelay), o.MinRetryDelay)
	o.MaxSize = cmp.Or(o.MaxSize, DefaultMaxSize)
}
