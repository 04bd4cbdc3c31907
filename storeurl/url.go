package storeurl

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

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/urltext"
)

// URL is a parsed URL with its parameters. A parameter that is absent has the zero value; one whose value cannot be read
// makes [URL.Check] fail. It is not safe for concurrent use.
type URL struct {
	parsed     *url.URL
	parameters url.Values
	logger     *slog.Logger
	errs       []error
}

// Parse parses a URL. A store that is opened with it logs to the given logger; nil stands for slog.Default(). Errors wrap
// [core.ErrInvalid] and show nothing of the URL.
func Parse(rawURL string, logger *slog.Logger) (*URL, error) {
	parsed, err := urltext.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", core.ErrInvalid, err)
	}
	parameters, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: the parameters of the URL are malformed", core.ErrInvalid)
	}
	return &URL{parsed: parsed, parameters: parameters, logger: logger}, nil
}

// String returns scheme and host, or the path of a SQLite file, and neither user, password nor parameters.
func (u *URL) String() string { return urltext.Show(u.parsed) }

// GoString is String.
func (u *URL) GoString() string { return u.String() }

// Scheme returns the scheme in lower case.
func (u *URL) Scheme() string { return strings.ToLower(u.parsed.Scheme) }

// Host returns host and port, or several of them, separated by commas, as the URL has them: the zone of an IPv6 address is
// escaped, as in [fe80::1%25eth0]:80.
func (u *URL) Host() string { return urltext.EscapedHost(u.parsed) }

// Addresses returns each host in the form of [net.Dial], with the given port if it has none, as in [fe80::1%eth0]:80; nil if the
// URL has no host.
func (u *URL) Addresses(defaultPort string) []string {
	return urltext.Addresses(u.parsed, defaultPort)
}

// Path returns the path with its leading slash.
func (u *URL) Path() string { return u.parsed.Path }

// User returns user and password, or nil if there are none.
func (u *URL) User() *url.Userinfo { return u.parsed.User }

// Parsed returns a copy of the whole URL, password and parameters included, whose Host may consist of several hosts, separated by
// commas.
func (u *URL) Parsed() *url.URL {
	parsed := *u.parsed
	return &parsed
}

// Logger returns where a store of this URL logs to; nil stands for slog.Default().
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
		u.Refuse(name, "it is no duration such as 500ms or 30s")
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
		u.Refuse(name, "it is no number of 0 or more")
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
	u.Refuse(name, "it is neither on nor off")
	return absent
}

// Check returns an error that names every parameter whose value could not be read or has been refused; each wraps
// [core.ErrInvalid].
func (u *URL) Check() error { return errors.Join(u.errs...) }

// Refuse makes [URL.Check] fail with what is wrong with a parameter, and what to do. The text must not show its value, which may
// be a secret in the wrong place.
func (u *URL) Refuse(name, format string, args ...any) {
	u.errs = append(u.errs, fmt.Errorf("%w: parameter %s: %w", core.ErrInvalid, name, fmt.Errorf(format, args...)))
}

// RefuseUnknown refuses each parameter that is not among the known ones, or is given more than once.
func (u *URL) RefuseUnknown(known []string) {
	known = slices.Sorted(slices.Values(known))
	for name, values := range u.parameters {
		if len(values) > 1 {
			u.Refuse(shownParameter(name), "it is given %d times", len(values))
		}
		if !slices.Contains(known, name) {
			u.Refuse(shownParameter(name), "it is unknown; known are %s", strings.Join(known, ", "))
		}
	}
}

// place names a parameter for the log.
func (u *URL) place(name string) string { return "the parameter " + name + " of " + u.String() }

// plainName matches names of parameters that can be shown: misspelt ones, and hardly a password or token.
var plainName = regexp.MustCompile(`^[a-z_-]{1,30}$`)

func shownParameter(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return "with a name that is not shown, because it may be a password"
}
