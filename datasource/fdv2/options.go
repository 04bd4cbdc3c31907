package fdv2

import (
	"cmp"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/fdv2"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

// Defaults of options.
const (
	DefaultInterval          = 30 * time.Second
	DefaultRequestTimeout    = 10 * time.Second
	DefaultInitialRetryDelay = time.Second
	DefaultResponseTimeout   = 30 * time.Second
	DefaultReadTimeout       = 5 * time.Minute
	DefaultMaxSize           = 256 << 20
)

// MinInterval is the shortest interval at which the flag service may be polled.
const MinInterval = 30 * time.Second

// PollingOptions configures polling. The zero value of each field means its default.
type PollingOptions struct {
	// BaseURI is where the polling service is; empty means the client's. It may end in a slash.
	BaseURI string
	// Interval is the time from the beginning of one poll to that of the next; 0 means 30 s, and so does a shorter one, which is
	// logged. Up to a tenth is added at random, so that clients that start together do not poll together for ever.
	Interval time.Duration
	// RequestTimeout is how long a poll may take; 0 means 10 s.
	RequestTimeout time.Duration
	// MaxPayloadSize is the size in bytes above which an answer is refused, counted after decompression; 0 means 256 MB.
	MaxPayloadSize int64
}

func (o PollingOptions) resolve(settings core.ClientSettings) (fdv2.PollerOptions, error) {
	if err := optioncheck.NotNegative("fdv2", o); err != nil {
		return fdv2.PollerOptions{}, err
	}
	interval := cmp.Or(o.Interval, DefaultInterval)
	if interval < MinInterval {
		settings.Logger.Warn("cleat: the flag service may not be polled that often; the shortest interval is used",
			"interval", interval, "shortest", MinInterval)
		interval = MinInterval
	}
	return fdv2.PollerOptions{
		BaseURI: cmp.Or(o.BaseURI, settings.Endpoints.Polling), Interval: interval,
		RequestTimeout: cmp.Or(o.RequestTimeout, DefaultRequestTimeout), MaxPayloadSize: cmp.Or(o.MaxPayloadSize, DefaultMaxSize),
	}, nil
}

// StreamingOptions configures streaming. The zero value of each field means its default.
type StreamingOptions struct {
	// BaseURI is where the streaming service is; empty means the client's. It may end in a slash.
	BaseURI string
	// InitialRetryDelay is how long to wait after the first error; 0 means 1 s.
	InitialRetryDelay time.Duration
	// ResponseTimeout is how long to wait, once a request is made, for the response to begin; 0 means 30 s.
	ResponseTimeout time.Duration
	// ReadTimeout is how long a connection may be silent; 0 means 5 min. Any byte counts, also that of a comment.
	ReadTimeout time.Duration
	// MaxPayloadSize is the size in bytes above which an event is refused, and a payload by the sum of its events; 0 means 256 MB.
	MaxPayloadSize int64
}

func (o StreamingOptions) resolve(settings core.ClientSettings) (fdv2.StreamerOptions, error) {
	if err := optioncheck.NotNegative("fdv2", o); err != nil {
		return fdv2.StreamerOptions{}, err
	}
	return fdv2.StreamerOptions{
		BaseURI: cmp.Or(o.BaseURI, settings.Endpoints.Streaming), InitialRetryDelay: cmp.Or(o.InitialRetryDelay, DefaultInitialRetryDelay),
		ResponseTimeout: cmp.Or(o.ResponseTimeout, DefaultResponseTimeout), ReadTimeout: cmp.Or(o.ReadTimeout, DefaultReadTimeout),
		MaxPayloadSize: cmp.Or(o.MaxPayloadSize, DefaultMaxSize),
	}, nil
}
