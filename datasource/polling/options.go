package polling

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

// Defaults of [Options].
const (
	DefaultInterval       = 30 * time.Second
	DefaultRequestTimeout = 10 * time.Second
	DefaultMaxPayloadSize = 256 << 20
)

// MinInterval is the shortest interval at which the flag service may be polled.
const MinInterval = 30 * time.Second

// Options configures a polling data source. The zero value of each field means its default.
type Options struct {
	// BaseURI is where the polling service is; empty means the client's. It may end in a slash.
	BaseURI string
	// PayloadFilter is the key of a filter by which the flag service leaves out part of the environment; empty means none.
	// A key that cannot be one is logged and ignored.
	PayloadFilter string
	// Interval is the time from the beginning of one poll to that of the next; 0 means 30 s. Up to a tenth is added at random,
	// so that clients that start together do not poll together for ever. A shorter one is logged and replaced by 30 s, unless
	// Requester is set.
	Interval time.Duration
	// RequestTimeout is how long a poll may take; 0 means 10 s. With a Requester of its own, it limits the calls of that.
	RequestTimeout time.Duration
	// MaxPayloadSize is the size in bytes above which an answer is refused, counted after decompression; 0 means 256 MB.
	MaxPayloadSize int64
	// Requester fetches the data in place of what [NewRequester] makes of the other options. If it has a method
	// EnvironmentID() string, that is asked after each call which environment the data is of.
	Requester core.FeatureRequester
}

func (o Options) validate() error { return optioncheck.NotNegative("polling", o) }

func (o Options) withDefaults(settings core.ClientSettings) Options {
	o.BaseURI = cmp.Or(o.BaseURI, settings.Endpoints.Polling)
	o.Interval = cmp.Or(o.Interval, DefaultInterval)
	o.RequestTimeout = cmp.Or(o.RequestTimeout, DefaultRequestTimeout)
	o.MaxPayloadSize = cmp.Or(o.MaxPayloadSize, DefaultMaxPayloadSize)
	return o
}

// limitInterval makes an interval acceptable to the flag service.
func (o Options) limitInterval(logger *slog.Logger) Options {
	if o.Requester == nil && o.Interval < MinInterval {
		logger.Warn("cleat: the flag service may not be polled that often; the shortest interval is used",
			"interval", o.Interval, "shortest", MinInterval)
		o.Interval = MinInterval
	}
	return o
}
