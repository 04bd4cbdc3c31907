package dynamostore

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cleatdev/cleat/core"
)

// Defaults of [Options].
const (
	DefaultInitConcurrency = 16
	DefaultWatchInterval   = time.Second
)

// Options configures a [Store] or a [BigSegments]. The zero value of each field means its default, and so does a nil
// *Options.
type Options struct {
	// Prefix separates stores that share a table: with a prefix, namespaces begin with it and a colon. It is used as it is
	// and may have up to 1,002 bytes. The default is the empty prefix.
	Prefix string
	// EventuallyConsistent makes reads eventually consistent, at half the price: they may miss what was written less than
	// about a second ago, also by this store. By default they are strongly consistent. What an Init compares with, and the
	// cursor of the big segments, is always read strongly.
	EventuallyConsistent bool
	// InitConcurrency is how many writes an Init has in flight at most; 0 means 16.
	InitConcurrency int
	// WatchInterval is how long Store.Watch waits between two looks at the change marker, and so bounds how late a change is
	// seen; 0 means 1 s. Each look is paid for as half a read request unit.
	WatchInterval time.Duration
	// Logger gets what concerns no caller: what a Watch sees and cannot see, that the change marker cannot be written, and, if the client is the store's own, what the AWS
	// SDK reports. nil means slog.Default().
	Logger *slog.Logger

	// The following are for Open and OpenBigSegments only.

	// Region is the AWS region; empty means that of the environment or the shared configuration.
	Region string
	// Endpoint is the base URL of the service, for example of DynamoDB Local; empty means the region's.
	Endpoint string
	// Credentials provides the credentials; nil means the standard chain: environment, shared configuration, container
	// and instance roles.
	Credentials aws.CredentialsProvider
	// HTTPClient sends the requests, for example through a proxy or with a certificate authority of one's own; nil means a
	// client of the store's own. One that is given stays open; if it speaks HTTP/2, its transport should have an
	// [http.HTTP2Config] with a SendPingTimeout, without which a connection that the network drops silently stays in use for
	// about 16 minutes. The same holds for the HTTP client of a client that New is given.
	HTTPClient aws.HTTPClient
}

// maxPrefix leaves room for the longest sort key that contains the prefix.
const maxPrefix = maxKey - len(":") - len(metadataName)

// validate returns an error that names every option that cannot be used.
func (o *Options) validate() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("dynamostore: %w: "+format, append([]any{core.ErrInvalid}, args...)...))
	}
	if len(o.Prefix) > maxPrefix {
		refuse("Prefix has %d bytes; the limit is %d", len(o.Prefix), maxPrefix)
	}
	if !utf8.ValidString(o.Prefix) {
		refuse("Prefix %q is not UTF-8", o.Prefix)
	}
	if o.InitConcurrency < 0 {
		refuse("InitConcurrency %d is negative", o.InitConcurrency)
	}
	if o.WatchInterval < 0 {
		refuse("WatchInterval %v is negative", o.WatchInterval)
	}
	if err := validateEndpoint(o.Endpoint); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// validateEndpoint returns an error that does not repeat the URL, which may contain a password.
func validateEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("dynamostore: %w: Endpoint must be a URL such as http://localhost:8000", core.ErrInvalid)
	}
	if u.User != nil {
		return fmt.Errorf("dynamostore: %w: Endpoint must not contain a user or password; use Credentials", core.ErrInvalid)
	}
	return nil
}

// withDefaults returns a copy with every default filled in. The receiver may be nil.
func (o *Options) withDefaults() (Options, error) {
	var filled Options
	if o != nil {
		filled = *o
	}
	if err := filled.validate(); err != nil {
		return Options{}, err
	}
	filled.InitConcurrency = cmp.Or(filled.InitConcurrency, DefaultInitConcurrency)
	filled.WatchInterval = cmp.Or(filled.WatchInterval, DefaultWatchInterval)
	if filled.Logger == nil {
		filled.Logger = slog.Default()
	}
	return filled, nil
}

// String describes the options without what may be secret in them.
func (o Options) String() string {
	type plain Options // without this method
	shown := plain(o)
	shown.Credentials, shown.HTTPClient = nil, nil // whose types may hold secrets
	if strings.Contains(shown.Endpoint, "@") {     // such an endpoint is refused
		shown.Endpoint = "REDACTED"
	}
	return fmt.Sprintf("dynamostore.Options%+v", shown)
}

// GoString is String.
func (o Options) GoString() string { return o.String() }

// LogValue is String as a value of package slog.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText is String for JSON and YAML.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
