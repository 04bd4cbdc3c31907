package storeurl

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
)

// Errors of Parse, none of which shows anything of the URL.
var (
	// ErrMalformed is returned for what is no URL.
	ErrMalformed = errors.New("the text is no URL (it is not shown, because it may contain a password); special characters " +
		"in a password are written as %XX")
	// ErrNoScheme is returned for what does not begin with a scheme.
	ErrNoScheme = errors.New("the URL has no scheme, such as redis:// or sqlite://")
	// ErrTorn is returned if a password with one of the characters / ? # seems to have torn the URL apart, so that a part
	// of it is where path, parameters or fragment should be. Parameters with an @ are fine behind a user.
	ErrTorn = errors.New("the URL has an @ behind its host, or a parameter that no store could have (it is not shown, " +
		"because it may contain a password); the characters / ? and # of a password are written as %2F, %3F and %23, and an @ " +
		"that belongs behind the host as %40")
)

// Parse parses a URL. Its Host may consist of several hosts, separated by commas, each with a port or not.
func Parse(text string) (*url.URL, error) {
	first, others := cutHosts(text)
	u, err := url.Parse(first)
	switch {
	case err != nil:
		return nil, ErrMalformed
	case u.Scheme == "":
		return nil, ErrNoScheme
	case isTorn(u):
		return nil, ErrTorn
	}
	u.Host += others
	return u, nil
}

// cutHosts takes all hosts but the first out of a URL, since package url knows of one only, and returns them too, with the
// comma before them.
func cutHosts(text string) (withFirst, others string) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return text, ""
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	hosts := strings.LastIndex(rest[:end], "@") + 1
	comma := strings.Index(rest[hosts:end], ",")
	if comma < 0 {
		return text, ""
	}
	return scheme + "://" + rest[:hosts+comma] + rest[end:], rest[hosts+comma : end]
}

func isTorn(u *url.URL) bool {
	if u.Host != "" && strings.Contains(u.EscapedPath()+u.EscapedFragment(), "@") {
		return true
	}
	if u.Host != "" && u.User == nil && strings.Contains(u.RawQuery, "@") {
		return true
	}
	for parameter := range strings.SplitSeq(u.RawQuery, "&") {
		if name, _, _ := strings.Cut(parameter, "="); strings.ContainsFunc(name, notInParameterName) {
			return true
		}
	}
	return false
}

func notInParameterName(r rune) bool {
	return r != '_' && r != '-' && r != '.' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
}
