package config

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cleatdev/cleat/internal/urltext"
)

// harmlessParameters are those of package backends whose values say where something is and not what it is, besides those
// that name a file or a variable. The value of any other parameter does not show, because it may be anything.
func harmlessParameters() []string {
	return []string{
		"busy_timeout", "cache", "capacity", "client_name", "conn_max_lifetime", "consistency", "datacenter", "db",
		"dial_timeout", "init_timeout", "max_stale", "min_idle_conns", "namespace", "partition", "pool_size",
		"pool_timeout", "prefix", "protocol", "read_all_timeout", "read_only", "read_timeout", "region",
		"sentinel_username", "watch", "watch_interval", "write_timeout",
	}
}

func isHarmless(name string) bool {
	return strings.HasSuffix(name, "_file") || strings.HasSuffix(name, "_env") || slices.Contains(harmlessParameters(), name)
}

// redactURL returns the text without what may be secret.
func redactURL(text string) string {
	if text == "" || text == SameStore {
		return text
	}
	u, err := urltext.Parse(text)
	if err != nil || u.Opaque != "" {
		return redacted
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += redacted + "@"
	}
	shown += urltext.EscapedHost(u) + redactPath(u)
	if u.RawQuery != "" {
		shown += "?" + redactParameters(u.RawQuery)
	}
	if u.Fragment != "" {
		shown += "#" + redacted
	}
	return shown
}

// redactPath returns the path if it is that of a file or the number of a database. A password that tears a URL apart can
// end up in any other.
func redactPath(u *url.URL) string {
	path := u.EscapedPath()
	_, err := strconv.ParseUint(strings.TrimPrefix(path, "/"), 10, 8)
	if path == "" || path == "/" || err == nil || strings.EqualFold(u.Scheme, "sqlite") && u.Host == "" {
		return path
	}
	return "/" + redacted
}

func redactParameters(query string) string {
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		name, value, found := strings.Cut(parameter, "=")
		switch {
		case !found:
			parameters[i] = redacted
		case isHarmless(name) && !strings.Contains(strings.ReplaceAll(value, "%40", "@"), "@"):
		case name == "endpoint":
			parameters[i] = name + "=" + redactParameter(value)
		default:
			parameters[i] = redacted // the name, too, may be part of a password
		}
	}
	return strings.Join(parameters, "&")
}

// redactParameter redacts a URL that is a parameter of another one.
func redactParameter(value string) string {
	text, err := url.QueryUnescape(value)
	if err != nil {
		return redacted
	}
	return redactURL(text)
}
