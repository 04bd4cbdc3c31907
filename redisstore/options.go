package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cleatdev/cleat/core"
)

// Defaults of [Options].
const (
	DefaultPrefix      = "launchdarkly"
	DefaultMaxItemSize = 512 << 20
)

// Options configures a [Store] or a [BigSegments]. The zero value of each field means its default, and so does a nil
// *Options. What concerns connections is for Open and OpenBigSegments only: a client of the caller's has its own.
type Options struct {
	// Prefix is what every key begins with, followed by a colon; empty means [DefaultPrefix]. It is used as it is: nothing
	// is escaped, cut or put in braces. To keep all keys in one slot of a Redis Cluster, write a hash tag into it, such as
	// "{flags}".
	Prefix string
	// NoPrefix leaves out both prefix and colon, so that the keys are "features", "segments", "$inited" and so on. It
	// cannot be combined with Prefix.
	NoPrefix bool
	// MaxItemSize is how many bytes the JSON of an item may have; 0 means 512 MB, which is what a Redis server accepts
	// unless its proto-max-bulk-len says otherwise. A BigSegments does not use it.
	MaxItemSize int
	// TLS is the TLS configuration of connections by a rediss:// URL, for example to trust a private certificate authority or
	// to present a client certificate. Nil means the system's authorities and TLS 1.2 or later. Each server is verified by the
	// host under which it is dialled, unless ServerName is set; set it for a Cluster or Sentinels that announce addresses while
	// all certificates bear one name.
	TLS *tls.Config
	// LiveTLS returns the TLS configuration of the next connection, in place of TLS. It is called by several goroutines at
	// once; what it returns is not changed.
	LiveTLS func() *tls.Config
	// Credentials returns the user name, which may be empty, and the password for a new connection, instead of those of the
	// URL, which must then have none. It is called for every connection to a server that holds data, by several goroutines at
	// once; it has to return when ctx ends. Connections that are open stay as they are. An error of it is one that wraps
	// [core.ErrUnavailable].
	Credentials func(ctx context.Context) (username, password string, err error)
	// SentinelCredentials is Credentials for the Sentinels, in place of the URL's sentinel_username and sentinel_password.
	SentinelCredentials func(ctx context.Context) (username, password string, err error)
	// Logger gets what goes wrong and concerns no caller; nil means slog.Default().
	Logger *slog.Logger
}

// validate returns an error that names every option that cannot be used.
func (o *Options) validate() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("redisstore: %w: "+format, append([]any{core.ErrInvalid}, args...)...))
	}
	if o.NoPrefix && o.Prefix != "" {
		refuse("Prefix %q and NoPrefix exclude each other", o.Prefix)
	}
	if o.MaxItemSize < 0 {
		refuse("MaxItemSize %d is negative", o.MaxItemSize)
	}
	if o.TLS != nil && o.LiveTLS != nil {
		refuse("TLS and LiveTLS exclude each other")
	}
	return errors.Join(errs...)
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
	if filled.Prefix == "" && !filled.NoPrefix {
		filled.Prefix = DefaultPrefix
	}
	filled.MaxItemSize = cmp.Or(filled.MaxItemSize, DefaultMaxItemSize)
	filled.Logger = cmp.Or(filled.Logger, slog.Default())
	if fixed := filled.TLS; fixed != nil {
		filled.LiveTLS = func() *tls.Config { return fixed }
	}
	return filled, nil
}
