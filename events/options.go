package events

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

// Defaults and limits of [Options].
const (
	DefaultCapacity                 = 10_000
	MaxCapacity                     = 1_000_000
	DefaultFlushInterval            = 5 * time.Second
	DefaultContextKeysCapacity      = 1_000
	DefaultContextKeysFlushInterval = 5 * time.Minute
	DefaultDiagnosticInterval       = 15 * time.Minute
	MinDiagnosticInterval           = time.Minute
	DefaultRetryDelay               = time.Second
	DefaultRequestTimeout           = 10 * time.Second
)

// Options configures event delivery. The zero value of each field means its default.
type Options struct {
	// Capacity is how many events are kept between two deliveries, at most a million; 0 means 10,000. What is more is
	// dropped. Summaries need no room.
	Capacity int
	// FlushInterval is how often events are delivered; 0 means every 5 s.
	FlushInterval time.Duration

	// AllAttributesPrivate is true if no attribute of any context is to be delivered except its kind, its key and whether
	// it is anonymous.
	AllAttributesPrivate bool
	// PrivateAttributes names attributes that are not to be delivered, by name or, for a part of an object, by a reference
	// such as /address/street. They add to those that a context declares private itself.
	PrivateAttributes []string
	// OmitAnonymousContexts is true if anonymous contexts are not to be listed, by [core.IdentifyEvent] or because they
	// occur for the first time.
	OmitAnonymousContexts bool

	// ContextKeysCapacity is how many contexts are remembered as listed already; 0 means 1,000.
	ContextKeysCapacity int
	// ContextKeysFlushInterval is after what time they are forgotten; 0 means 5 min.
	ContextKeysFlushInterval time.Duration

	// DisableDiagnostics is true if nothing is to be delivered about the client itself: its configuration and platform
	// when it starts, and counts of dropped events and stream connections from then on.
	DisableDiagnostics bool
	// DiagnosticInterval is how often those counts are delivered, at least every minute; 0 means every 15 min.
	DiagnosticInterval time.Duration

	// BaseURI is where events are delivered to; empty means [core.ClientSettings].Endpoints.
	BaseURI string
	// EnableGzip is true if what is delivered is to be compressed.
	EnableGzip bool
	// RetryDelay is after what time a delivery that failed is tried once more; 0 means 1 s.
	RetryDelay time.Duration
	// RequestTimeout is how long one attempt at a delivery may take; 0 means 10 s.
	RequestTimeout time.Duration
}

// validate returns an error that names everything that cannot be used. It is called on options with defaults.
func (o *Options) validate() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("events: %w: "+format, append([]any{core.ErrInvalid}, args...)...))
	}
	if o.Capacity < 0 || o.Capacity > MaxCapacity {
		refuse("Capacity %d is not between 1 and %d", o.Capacity, MaxCapacity)
	}
	if o.ContextKeysCapacity < 0 || o.ContextKeysCapacity > MaxCapacity {
		refuse("ContextKeysCapacity %d is not between 1 and %d", o.ContextKeysCapacity, MaxCapacity)
	}
	errs = append(errs, optioncheck.NotNegative("events", *o, "Capacity", "ContextKeysCapacity", "DiagnosticInterval"))
	if o.DiagnosticInterval < MinDiagnosticInterval {
		refuse("DiagnosticInterval %v is shorter than %v", o.DiagnosticInterval, MinDiagnosticInterval)
	}
	for i, name := range o.PrivateAttributes {
		if err := ldattr.NewRef(name).Err(); err != nil {
			refuse("PrivateAttributes[%d] %q: %v", i, name, err)
		}
	}
	if problem := problemOfURI(o.BaseURI); problem != "" {
		refuse("the events URI %s", problem)
	}
	return errors.Join(errs...)
}

// problemOfURI returns why nothing can be delivered to the URI, and does not show it, because it may hold a password.
func problemOfURI(uri string) string {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil:
		return "cannot be parsed"
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return "does not begin with http:// or https://"
	case parsed.Host == "":
		return "names no host"
	case strings.Contains(parsed.EscapedPath(), "@"):
		return "has an @ behind its host; a / in a password is written as %2F"
	case parsed.RawQuery != "" || parsed.Fragment != "":
		return "has a query or a fragment, and paths could not be added to it"
	}
	return ""
}

// withDefaults returns a copy in which every field is set.
func (o Options) withDefaults(settings core.ClientSettings) Options {
	if o.BaseURI != "" {
		settings.Endpoints.Events = o.BaseURI
	}
	o.BaseURI = settings.Endpoints.WithDefaults().Events
	setDefault(&o.Capacity, DefaultCapacity)
	setDefault(&o.FlushInterval, DefaultFlushInterval)
	setDefault(&o.ContextKeysCapacity, DefaultContextKeysCapacity)
	setDefault(&o.ContextKeysFlushInterval, DefaultContextKeysFlushInterval)
	setDefault(&o.DiagnosticInterval, DefaultDiagnosticInterval)
	setDefault(&o.RetryDelay, DefaultRetryDelay)
	setDefault(&o.RequestTimeout, DefaultRequestTimeout)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// privateAttributes returns PrivateAttributes in the form in which the library takes them.
func (o *Options) privateAttributes() []ldattr.Ref {
	refs := make([]ldattr.Ref, len(o.PrivateAttributes))
	for i, name := range o.PrivateAttributes {
		refs[i] = ldattr.NewRef(name)
	}
	return refs
}
