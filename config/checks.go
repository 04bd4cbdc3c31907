package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"

	"github.com/cleatdev/cleat/internal/optioncheck"
	"github.com/cleatdev/cleat/internal/urltext"
)

var (
	filterKey    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	tagValue     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func isFilter(text string) bool   { return filterKey.MatchString(text) }
func isTag(text string) bool      { return tagValue.MatchString(text) }
func isVariable(text string) bool { return variableName.MatchString(text) }

// isLine reports whether the text has no control characters.
func isLine(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\x7f' })
}

// isKey reports whether the text can be an SDK key and is not what a secret shows as.
func isKey(text string) bool { return optioncheck.SDKKey(text) && text != redacted }

func isAttribute(text string) bool { return ldattr.NewRef(text).Err() == nil }

// parseURL parses a URL that has a host or a path, and a password in its place if it has one.
func parseURL(text string) (*url.URL, bool) {
	u, err := urltext.Parse(text)
	return u, err == nil && u.Opaque == "" && u.Fragment == ""
}

func isStoreURL(text string, schemes []string) bool {
	u, ok := parseURL(text)
	return ok && slices.Contains(schemes, strings.ToLower(u.Scheme))
}

func isServiceURL(text string) bool {
	u, ok := parseURL(text)
	return ok && u.Host != "" && u.RawQuery == "" && (u.Scheme == "http" || u.Scheme == "https")
}

func isProxyURL(text string) bool {
	u, ok := parseURL(text)
	return ok && u.Host != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}
