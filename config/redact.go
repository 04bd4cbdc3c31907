package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/cleatdev/cleat/internal/storeurl"
)

// harmlessParameters are those of package backends whose values say where something is and not what it is, besides those
// that name a file or a variable. The value of any other parameter does not show, because nobody knows what it is.
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
	u, err := storeurl.Parse(text)
	if err != nil || u.Opaque != "" {
		return redacted
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += redacted + "@"
	}
	shown += u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		shown += "?" + redactParameters(u.RawQuery)
	}
	if u.Fragment != "" {
		shown += "#" + redacted
	}
	return shown
}

func redactParameters(query string) string {
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		name, value, found := strings.Cut(parameter, "=")
		switch {
		case !found:
			parameters[i] = redacted
		case isHarmless(name) && !strings.Contains(value, "@"):
		case name == "endpoint":
			parameters[i] = name + "=" + redactParameter(value)
		default:
			parameters[i] = name + "=" + redacted
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
