package backends

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storeurl"
)

// URL is a parsed URL with its parameters. A parameter that is absent has the zero value; one whose value cannot be read
// makes [URL.Check] fail. It is not safe for concurrent use.
type URL struct {
	parsed     *url.URL
	parameters url.Values
	logger     *slog.Logger
	errs       []error
}

const (
	paramPrefix         = "prefix"
	paramCache          = "cache"
	paramCapacity       = "capacity"
	paramMaxStale       = "max_stale"
	paramWatch          = "watch"
	paramReadTimeout    = "read_timeout"
	paramReadAllTimeout = "read_all_timeout"
	paramWriteTimeout   = "write_timeout"
	paramInitTimeout    = "init_timeout"
)

func commonParameters() []string {
	return []string{
		paramCache, paramCapacity, paramInitTimeout, paramMaxStale, paramPrefix, paramReadAllTimeout,
		paramReadTimeout, paramWatch, paramWriteTimeout,
	}
}

func parseURL(rawURL string, logger *slog.Logger) (*URL, error) {
	parsed, err := storeurl.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("backends: %w: %w", core.ErrInvalid, err)
	}
	parameters, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("backends: %w: the parameters of the URL are malformed", core.ErrInvalid)
	}
	return &URL{parsed: parsed, parameters: parameters, logger: logger}, nil
}

// String returns scheme and host, or the path of a SQLite file, and neither user, password nor parameters.
func (u *URL) String() string { return storeurl.Show(u.parsed) }

// GoString is String.
func (u *URL) GoString() string { return u.String() }

// Scheme returns the scheme in lower case.
func (u *URL) Scheme() string { return strings.ToLower(u.parsed.Scheme) }

// Host returns host and port, or several of them, separated by commas, as the URL has them: the zone of an IPv6 address is
// escaped, as in [fe80::1%25eth0]:80.
func (u *URL) Host() string { return storeurl.EscapedHost(u.parsed) }

// Addresses returns each host in the form of [net.Dial], with the given port if it has none, as in [fe80::1%eth0]:80; nil if the
// URL has no host.
func (u *URL) Addresses(defaultPort string) []string {
	return storeurl.Addresses(u.parsed, defaultPort)
}

// Path returns the path with its leading slash.
func (u *URL) Path() string { return u.parsed.Path }

// Logger returns where a store of this URL logs to: the logger of [Registry.WithLogger], or nil, which stands for slog.Default().
func (u *URL) Logger() *slog.Logger { return u.logger }

// Has reports whether the parameter is there.
func (u *URL) Has(name string) bool { return u.parameters.Has(name) }

// Text returns a parameter as it is.
func (u *URL) Text(name string) string { return u.parameters.Get(name) }

// Duration returns a parameter such as 500ms. It must not be negative.
func (u *URL) Duration(name string) time.Duration {
	if !u.Has(name) {
		return 0
	}
	d, err := time.ParseDuration(u.Text(name))
	if err != nil || d < 0 {
		u.fail(name, "it is no duration such as 500ms or 30s")
		return 0
	}
	return d
}

// Int returns a parameter that is a number and not negative.
func (u *URL) Int(name string) int {
	if !u.Has(name) {
		return 0
	}
	n, err := strconv.Atoi(u.Text(name))
	if err != nil || n < 0 {
		u.fail(name, "it is no number of 0 or more")
		return 0
	}
	return n
}

// Bool returns a parameter that is on, true, off or false.
func (u *URL) Bool(name string, absent bool) bool {
	if !u.Has(name) {
		return absent
	}
	switch strings.ToLower(u.Text(name)) {
	case "on", "true":
		return true
	case "off", "false":
		return false
	}
	u.fail(name, "it is neither on nor off")
	return absent
}

// Check returns an error that names every parameter whose value could not be read.
func (u *URL) Check() error { return u.err() }

func (u *URL) err() error { return errors.Join(u.errs...) }

func (u *URL) fail(name, format string, args ...any) {
	u.errs = append(u.errs, u.refuse(name, format, args...))
}

// place names a parameter for the log.
func (u *URL) place(name string) string { return "the parameter " + name + " of " + u.String() }

func (u *URL) refuse(name, format string, args ...any) error {
	return fmt.Errorf("backends: %s: %w: parameter %s: %w", u, core.ErrInvalid, name, fmt.Errorf(format, args...))
}

// checkNames returns an error for each parameter that the scheme does not know, or that is given more than once.
func (u *URL) checkNames(ofScheme []string) (errs []error) {
	known := slices.Sorted(slices.Values(append(commonParameters(), ofScheme...)))
	for name, values := range u.parameters {
		if len(values) > 1 {
			errs = append(errs, u.refuse(shownParameter(name), "it is given %d times", len(values)))
		}
		if !slices.Contains(known, name) {
			errs = append(errs, u.refuse(shownParameter(name), "it is unknown; known are %s", strings.Join(known, ", ")))
		}
	}
	return errs
}

// plainName matches names of parameters that can be shown: misspelt ones, and hardly a password or token.
var plainName = regexp.MustCompile(`^[a-z_-]{1,30}$`)

func shownParameter(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return "with a name that is not shown, because it may be a password"
}

// cache reads the parameters about the cache.
func (u *URL) cache() caching.Options {
	opts := caching.Options{
		Capacity:       u.Int(paramCapacity),
		MaxStale:       u.Duration(paramMaxStale),
		ReadTimeout:    u.Duration(paramReadTimeout),
		ReadAllTimeout: u.Duration(paramReadAllTimeout),
		WriteTimeout:   u.Duration(paramWriteTimeout),
		InitTimeout:    u.Duration(paramInitTimeout),
		DisableWatch:   !u.Bool(paramWatch, true),
	}
	switch mode := u.Text(paramCache); {
	case !u.Has(paramCache):
	case mode == "off":
		opts.Mode = caching.Off()
		u.refuseWithoutCache()
	case mode == "forever":
		opts.Mode = caching.Forever()
	default:
		ttl, err := time.ParseDuration(mode)
		if err != nil || ttl <= 0 {
			u.fail(paramCache, "it is neither off, forever nor a duration such as 30s")
		}
		opts.Mode = caching.TTL(ttl)
	}
	return opts
}

// refuseWithoutCache refuses what has no effect if nothing is cached.
func (u *URL) refuseWithoutCache() {
	for _, name := range []string{paramCapacity, paramMaxStale} {
		if u.Has(name) {
			u.fail(name, "it has no effect beside cache=off; remove one of the two")
		}
	}
}
