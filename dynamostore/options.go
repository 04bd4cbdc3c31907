package dynamostore

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/cleatdev/cleat/core"
)

// Defaults of [Options].
const (
	DefaultReadTimeout     = 2 * time.Second
	DefaultReadAllTimeout  = 10 * time.Second
	DefaultWriteTimeout    = 5 * time.Second
	DefaultInitTimeout     = 60 * time.Second
	DefaultInitConcurrency = 16
	DefaultInitRetries     = 10

	// DefaultWatchIntervalElsewhere is for an endpoint outside AWS, such as DynamoDB Local.
	DefaultWatchIntervalElsewhere = 50 * time.Millisecond
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
	// ReadTimeout ends every request that reads; 0 means 2 s.
	ReadTimeout time.Duration
	// ReadAllTimeout ends every GetAll, which takes one request per megabyte; 0 means 10 s.
	ReadAllTimeout time.Duration
	// WriteTimeout ends every Upsert and change set, every transaction of a patch, of which there is one for 99 context hashes,
	// and every request that writes one item; 0 means 5 s.
	WriteTimeout time.Duration
	// InitTimeout ends every Init; 0 means 60 s. One batch of an Init gets a quarter of it.
	InitTimeout time.Duration
	// InitConcurrency is how many writes an Init has in flight at most; 0 means 16.
	InitConcurrency int
	// InitRetries is how often an Init sends the same batch again without any progress before it gives up; 0 means 10.
	InitRetries int
	// WatchInterval is how long Store.Watch waits between two questions for what is new in a shard of the table's stream, and
	// so bounds how late a change is seen; while there is more to read, it waits half as long, and longer while the service
	// is throttling. 0 means 50 ms at an endpoint outside AWS. At an endpoint of AWS, where questions are limited and paid
	// for, 0 means that the table is not watched; 1 s is a good choice for one that is to be. The package documentation
	// says how to choose it.
	WatchInterval time.Duration
	// Streams is the client with which Store.Watch reads the table's stream. It stays open, and its retryer is not used. nil
	// means one with the region, credentials, HTTP client and endpoint of the table's client, or, if that is at an endpoint
	// of AWS, at the endpoint for streams that belongs to the region. (Open also finds one in the environment and the shared
	// configuration, as AWS_ENDPOINT_URL_DYNAMODB_STREAMS.) It is needed if the table's client has an endpoint resolver of its
	// own, or if streams are to be reached through a VPC endpoint without private DNS.
	Streams *dynamodbstreams.Client
	// Logger gets what concerns no caller: that a Watch was interrupted, and, if the client is the store's own, what the AWS
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
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"ReadTimeout", o.ReadTimeout},
		{"ReadAllTimeout", o.ReadAllTimeout},
		{"WriteTimeout", o.WriteTimeout},
		{"InitTimeout", o.InitTimeout},
		{"WatchInterval", o.WatchInterval},
	} {
		if d.value < 0 {
			refuse("%s %v is negative", d.name, d.value)
		}
	}
	if o.InitConcurrency < 0 {
		refuse("InitConcurrency %d is negative", o.InitConcurrency)
	}
	if o.InitRetries < 0 {
		refuse("InitRetries %d is negative", o.InitRetries)
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
	setDefault(&filled.ReadTimeout, DefaultReadTimeout)
	setDefault(&filled.ReadAllTimeout, DefaultReadAllTimeout)
	setDefault(&filled.WriteTimeout, DefaultWriteTimeout)
	setDefault(&filled.InitTimeout, DefaultInitTimeout)
	setDefault(&filled.InitConcurrency, DefaultInitConcurrency)
	setDefault(&filled.InitRetries, DefaultInitRetries)
	if filled.Logger == nil {
		filled.Logger = slog.Default()
	}
	return filled, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
