package streaming

import (
	"cmp"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

// Defaults of [Options].
const (
	DefaultInitialRetryDelay = time.Second
	DefaultResponseTimeout   = 30 * time.Second
	DefaultReadTimeout       = 5 * time.Minute
	DefaultMaxEventSize      = 256 << 20
)

// Options configures a streaming data source. The zero value of each field means its default.
type Options struct {
	// BaseURI is where the streaming service is; empty means the client's. It may end in a slash.
	BaseURI string
	// PayloadFilter is the key of a filter by which the flag service leaves out part of the environment; empty means none.
	// A key that cannot be one is logged and ignored.
	PayloadFilter string
	// InitialRetryDelay is how long to wait after the first error; 0 means 1 s.
	InitialRetryDelay time.Duration
	// ResponseTimeout is how long to wait, once a request is made, for the response to begin; 0 means 30 s.
	ResponseTimeout time.Duration
	// ReadTimeout is how long a connection may be silent; 0 means 5 min. Any byte counts, also that of a comment.
	ReadTimeout time.Duration
	// MaxEventSize is the size in bytes above which an event is refused; 0 means 256 MB. The first event of a connection
	// holds the whole environment.
	MaxEventSize int64
}

func (o Options) validate() error { return optioncheck.NotNegative("streaming", o) }

func (o Options) withDefaults(settings core.ClientSettings) Options {
	o.BaseURI = cmp.Or(o.BaseURI, settings.Endpoints.Streaming)
	o.InitialRetryDelay = cmp.Or(o.InitialRetryDelay, DefaultInitialRetryDelay)
	o.ResponseTimeout = cmp.Or(o.ResponseTimeout, DefaultResponseTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, DefaultReadTimeout)
	o.MaxEventSize = cmp.Or(o.MaxEventSize, DefaultMaxEventSize)
	return o
}
