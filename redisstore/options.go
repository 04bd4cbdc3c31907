package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/urltext"
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

// topology is how the servers of a URL belong together.
type topology string

const (
	single   topology = ""
	sentinel topology = "sentinel"
	cluster  topology = "cluster"
)

const (
	redisPort    = "6379"
	sentinelPort = "26379"

	sentinelUsername = "sentinel_username"
	sentinelPassword = "sentinel_password"
)

// target is what a URL says.
type target struct {
	topology  topology
	addresses []string
	// settings are what all topologies have in common, in the form of a single server.
	settings *redis.Options
	tls      bool
	liveTLS  func() *tls.Config // of the next connection; nil without TLS
	// primary is the name by which Sentinels know the primary.
	primary                            string
	sentinelUsername, sentinelPassword string
	sentinelCredentials                credentials
}

func refuseURL(format string, args ...any) error {
	return fmt.Errorf("redisstore: %w: the URL "+format, append([]any{core.ErrInvalid}, args...)...)
}

// parseURL reads a URL. No part of the URL is repeated in an error, because a password with unescaped characters can end
// up in any of them.
func parseURL(rawURL string) (*target, error) {
	parsed, err := urltext.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w: %w", core.ErrInvalid, err)
	}
	return newTarget(parsed)
}

func newTarget(u *url.URL) (*target, error) {
	base, kind, _ := strings.Cut(strings.ToLower(u.Scheme), "+")
	t := &target{topology: topology(kind), tls: base == "rediss", settings: &redis.Options{}}
	if base != "redis" && base != "rediss" || !slices.Contains([]topology{single, sentinel, cluster}, t.topology) {
		return nil, refuseURL("must begin with redis://, redis+sentinel:// or redis+cluster:// or, for TLS, with " +
			"rediss://, rediss+sentinel:// or rediss+cluster://")
	}
	port := redisPort
	if t.topology == sentinel {
		port = sentinelPort
	}
	t.addresses = urltext.Addresses(u, port)
	switch {
	case len(t.addresses) == 0:
		return nil, refuseURL("has no host")
	case t.topology == single && len(t.addresses) > 1:
		return nil, refuseURL("lists several hosts; begin it with redis+sentinel:// or redis+cluster://")
	case u.Fragment != "":
		return nil, refuseURL("has a fragment; percent-encode the '#' of a password as %%23")
	}
	t.settings.Addr, t.settings.Username = t.addresses[0], u.User.Username()
	t.settings.Password, _ = u.User.Password()
	if err := t.readPath(u.Path); err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, refuseURL("has a query that cannot be parsed")
	}
	if err := t.readParameters(query); err != nil {
		return nil, refuseURL("%w", err)
	}
	return t, nil
}

// readPath takes from the path the name of a primary and the number of a database.
func (t *target) readPath(path string) error {
	db, shape := strings.Trim(path, "/"), "a database number, such as /0"
	switch t.topology {
	case single:
	case cluster:
		if db != "" && db != "0" {
			return refuseURL("has a path; a Redis Cluster has no numbered databases")
		}
	case sentinel:
		t.primary, db, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if t.primary == "" {
			return refuseURL("does not say by which name the Sentinels know the primary, as in redis+sentinel://host:26379/mymaster/0")
		}
		shape = "the name of a primary and a database number, such as /mymaster/0"
	}
	if db == "" {
		return nil
	}
	number, err := strconv.ParseUint(db, 10, 31)
	if err != nil {
		return refuseURL("has a path that is not " + shape)
	}
	t.settings.DB = int(number)
	return nil
}

// parameters are the query parameters of a URL and where they go.
func (t *target) parameters() map[string]any {
	s := t.settings
	known := map[string]any{
		"client_name": &s.ClientName, "conn_max_idle_time": &s.ConnMaxIdleTime, "conn_max_lifetime": &s.ConnMaxLifetime,
		"dial_timeout": &s.DialTimeout, "max_active_conns": &s.MaxActiveConns, "max_idle_conns": &s.MaxIdleConns,
		"min_idle_conns": &s.MinIdleConns, "pool_size": &s.PoolSize, "pool_timeout": &s.PoolTimeout, "protocol": &s.Protocol,
	}
	if t.topology != cluster { // which has no databases, and repeats by itself
		known["db"], known["max_retries"] = &s.DB, &s.MaxRetries
	}
	if t.topology == sentinel {
		known[sentinelUsername], known[sentinelPassword] = &t.sentinelUsername, &t.sentinelPassword
	}
	return known
}

// readParameters names the known parameters if there is an unknown one, and the one whose value is wrong.
func (t *target) readParameters(query url.Values) error {
	known := t.parameters()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		field, ok := known[name]
		if !ok {
			return errors.New("has an unknown parameter; known are " + strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		var err error
		switch value := query.Get(name); field := field.(type) {
		case *string:
			*field = value
		case *int:
			*field, err = strconv.Atoi(value)
		case *time.Duration:
			*field, err = parseDuration(value)
		}
		if err != nil || len(query[name]) > 1 {
			return fmt.Errorf("has an unusable value for the parameter %s", name)
		}
	}
	return nil
}

// parseDuration reads a duration as the driver does: a number without a unit is one of seconds, and none above 0 means never.
func parseDuration(text string) (time.Duration, error) {
	seconds, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return time.ParseDuration(text)
	case seconds <= 0:
		return -1, nil
	}
	return time.Duration(seconds) * time.Second, nil
}
