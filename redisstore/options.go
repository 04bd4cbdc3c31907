package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cleatdev/cleat/core"
)

// Defaults of [Options].
const (
	DefaultPrefix         = "launchdarkly"
	DefaultReadTimeout    = 2 * time.Second
	DefaultReadAllTimeout = 10 * time.Second
	DefaultWriteTimeout   = 5 * time.Second
	DefaultInitTimeout    = 60 * time.Second
	DefaultMaxItemSize    = 512 << 20
)

// Options configures a [Store] or a [BigSegments]. The zero value of each field means its default, and so does a nil
// *Options.
type Options struct {
	// Prefix is what every key begins with, followed by a colon; empty means [DefaultPrefix]. It is used as it is: nothing
	// is escaped, cut or put in braces. To keep all keys in one slot of a Redis Cluster, write a hash tag into it, such as
	// "{flags}".
	Prefix string
	// NoPrefix leaves out both prefix and colon, so that the keys are "features", "segments", "$inited" and so on. It
	// cannot be combined with Prefix.
	NoPrefix bool
	// ReadTimeout ends every operation that reads, except GetAll; 0 means 2 s.
	ReadTimeout time.Duration
	// ReadAllTimeout ends every GetAll, whose answer is a whole kind; 0 means 10 s. A BigSegments does not use it.
	ReadAllTimeout time.Duration
	// WriteTimeout ends every Upsert, change set and patch; 0 means 5 s.
	WriteTimeout time.Duration
	// InitTimeout ends every Init; 0 means 60 s. A BigSegments does not use it.
	InitTimeout time.Duration
	// MaxItemSize is how many bytes the JSON of an item may have; 0 means 512 MB, which is what a Redis server accepts
	// unless its proto-max-bulk-len says otherwise. A BigSegments does not use it.
	MaxItemSize int
	// TLS replaces the TLS configuration of a rediss:// URL, for example to trust a private certificate authority or to
	// present a client certificate. It is for Open, OpenCluster and OpenBigSegments only. Nil means the system's authorities,
	// the name of the host that is connected to, and TLS 1.2 or later. With Sentinels and Clusters, ServerName must be left
	// empty unless one name is in the certificates of all servers.
	TLS *tls.Config
	// Credentials returns the user name, which may be empty, and the password for a new connection, instead of those of the
	// URL, which must then have none. It is called for every connection to a server that holds data, by several goroutines at
	// once; it has to return when ctx ends. Connections that are open stay as they are. An error of it is one that wraps
	// [core.ErrUnavailable]. It is for Open, OpenCluster and OpenBigSegments only.
	Credentials func(ctx context.Context) (username, password string, err error)
	// Logger gets what goes wrong and concerns no caller; nil means slog.Default().
	Logger *slog.Logger
}

// HasHashTag reports whether the prefix has a hash tag, as "{flags}" and "app:{flags}" have: a part in braces that is not
// empty. All keys of a store are then in one slot of a Redis Cluster, where Init and change sets are atomic. o may be nil.
func (o *Options) HasHashTag() bool { return o != nil && keys{o.Prefix}.oneSlot() }

// validate returns an error that names every option that cannot be used.
func (o *Options) validate() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("redisstore: %w: "+format, append([]any{core.ErrInvalid}, args...)...))
	}
	if o.NoPrefix && o.Prefix != "" {
		refuse("Prefix %q and NoPrefix exclude each other", o.Prefix)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"ReadTimeout", o.ReadTimeout},
		{"ReadAllTimeout", o.ReadAllTimeout},
		{"WriteTimeout", o.WriteTimeout},
		{"InitTimeout", o.InitTimeout},
	} {
		if d.value < 0 {
			refuse("%s %v is negative", d.name, d.value)
		}
	}
	if o.MaxItemSize < 0 {
		refuse("MaxItemSize %d is negative", o.MaxItemSize)
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
	setDefault(&filled.ReadTimeout, DefaultReadTimeout)
	setDefault(&filled.ReadAllTimeout, DefaultReadAllTimeout)
	setDefault(&filled.WriteTimeout, DefaultWriteTimeout)
	setDefault(&filled.InitTimeout, DefaultInitTimeout)
	setDefault(&filled.MaxItemSize, DefaultMaxItemSize)
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
