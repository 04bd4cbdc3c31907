package urltext

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// Errors of Parse, none of which shows anything of the URL.
var (
	// ErrMalformed is returned for what is no URL.
	ErrMalformed = errors.New("the text is no URL (it is not shown, because it may contain a password); special characters " +
		"in a password are written as %XX, and the % before the zone of an IPv6 address as %25")
	// ErrNoScheme is returned for what does not begin with a scheme and two slashes, also for redis:/host and redis:host.
	ErrNoScheme = errors.New("the URL has no scheme, such as redis:// or sqlite:// (it is not shown, because it may contain a " +
		"password)")
	// ErrHosts is returned for hosts of which one is none.
	ErrHosts = errors.New("the URL has a host that cannot be read (it is not shown, because it may contain a password); several " +
		"are separated by commas, as in host:6379,host:6379, and an IPv6 address with a zone is written as in [fe80::1%25eth0]:6379")
	// ErrTorn is returned if a password with one of the characters / ? # @ seems to have torn the URL apart, so that a part
	// of it is where host, path, parameters or fragment should be, or if it has a slash too many before it.
	ErrTorn = errors.New("the URL has an @ behind the place of its host, or a parameter that no store could have (it is not " +
		"shown, because it may contain a password); a user and a host follow two slashes, the characters / ? # and @ of a password " +
		"are written as %2F, %3F, %23 and %40, and an @ that belongs behind the host is written as %40 too")
)

// Parse parses a URL. Its Host may consist of several hosts, separated by commas, each with a port or not; [Addresses] takes
// them apart. An @ may stand behind the host or its place only if the URL is that of a file, which has none.
func Parse(text string) (*url.URL, error) {
	first, escaped := cutHosts(text)
	others, ok := unescapeHosts(escaped)
	u, err := url.Parse(first)
	switch {
	case err != nil:
		return nil, ErrMalformed
	case u.Scheme == "" || !strings.HasPrefix(first[len(u.Scheme):], "://"):
		return nil, ErrNoScheme
	case isTorn(u):
		return nil, ErrTorn
	case !ok || !withoutOddZone.MatchString(u.Host):
		return nil, ErrHosts
	}
	u.Host += others
	return u, nil
}

// Addresses returns each host of a parsed URL in the form of [net.Dial], with the given port if it has none. It returns nil if
// the URL has no host.
func Addresses(u *url.URL, defaultPort string) (addresses []string) {
	for host := range strings.SplitSeq(u.Host, ",") {
		one := url.URL{Host: host}
		port := one.Port()
		if one.Hostname() == "" {
			return nil
		}
		if port == "" {
			port = defaultPort
		}
		addresses = append(addresses, net.JoinHostPort(one.Hostname(), port))
	}
	return addresses
}

// EscapedHost returns the hosts of a parsed URL as a URL has them.
func EscapedHost(u *url.URL) string { return strings.ReplaceAll(u.Host, "%", "%25") }

// Show returns the scheme, which the caller has to know, and of the rest what names a place and is no secret: the host, or the
// path of a file.
func Show(u *url.URL) string {
	if isFile(u) {
		return u.Scheme + "://" + u.EscapedPath()
	}
	return u.Scheme + "://" + EscapedHost(u)
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

// withoutOddZone matches hosts without a percent sign other than that of a zone that could be the name of an interface.
var withoutOddZone = regexp.MustCompile(`^([^%]*|\[[^%]*%[\w.~-]+\](:\d*)?)$`)

// unescapeHosts returns hosts with a comma before each as [url.URL] has them. ok is false if one of them is none.
func unescapeHosts(text string) (hosts string, ok bool) {
	if text == "" {
		return "", true
	}
	var all strings.Builder
	for host := range strings.SplitSeq(text[1:], ",") {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || EscapedHost(u) != host || !withoutOddZone.MatchString(u.Host) {
			return "", false
		}
		all.WriteString("," + u.Host)
	}
	return all.String(), true
}

// isFile reports whether the URL is that of a file, whose path may have any characters.
func isFile(u *url.URL) bool {
	return strings.EqualFold(u.Scheme, "sqlite") && u.Host == "" && u.User == nil
}

func isTorn(u *url.URL) bool {
	if isFile(u) {
		before, _, found := strings.Cut(u.EscapedPath(), "@")
		if found && strings.Contains(before, ":") { // a user and password that follow three slashes
			return true
		}
	} else if strings.Contains(u.EscapedPath()+u.EscapedFragment()+u.RawQuery, "@") {
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
