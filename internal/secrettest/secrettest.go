// Package secrettest is for tests that plant secrets in configurations and look for them in what is shown.
package secrettest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"pgregory.net/rapid"
)

// words are what secrets consist of. A secret has characters between them at which it can be torn apart, and each of its
// words is looked for.
var words = []string{"qZxkWvbTj", "hMfrGpdYc", "xNwzLsqKv"}

// Secret generates secrets, as they are and percent-encoded.
func Secret() *rapid.Generator[string] {
	separator := rapid.SampledFrom([]string{"", "/", "?", "#", "@", ":", "%", "&", "=", "+", ",", ";", " ", "\\", "[", "]", "%zz", "\x01", "é"})
	return rapid.Custom(func(t *rapid.T) string {
		secret := words[0] + separator.Draw(t, "separator") + words[1] + separator.Draw(t, "separator") + words[2]
		if rapid.Bool().Draw(t, "encoded") {
			return url.QueryEscape(secret)
		}
		return secret
	})
}

// URL generates texts that are, or should have been, the URL of a store, a service or a proxy with one of the given
// schemes and a secret, in or near the place of a password: with slashes too many or too few, without a host, with several,
// with characters that are not escaped, and so on.
func URL(schemes ...string) *rapid.Generator[string] {
	pick := func(t *rapid.T, name string, texts ...string) string { return rapid.SampledFrom(texts).Draw(t, name) }
	return rapid.Custom(func(t *rapid.T) string {
		secret := Secret().Draw(t, "secret")
		text := pick(t, "scheme", append(schemes, "mysql", "", "S")...) +
			pick(t, "slashes", "://", "://", "://", ":///", ":////", ":/", ":", "//", "/", "", "://://", "%3A//") +
			pick(t, "user", "u:S@", ":S@", "S@", "u:"+words[0]+"%40", "u%3AS@", "S:x@", "u:x@S@", "u:S@x@", ":S@u:S@", "") +
			pick(t, "host", "127.0.0.1:1", "127.0.0.1:1", "", "h:port", "h:"+words[0], "127.0.0.1:1,127.0.0.1:2", "a,u:"+words[0],
				"a,u:S@127.0.0.1:1", ",", "[::1]:1", "[::1", "%zz", "h\x01", "h h") +
			pick(t, "path", "", "", "/", "/0", "/S", "//S", "/my/S", "/S@h", "/u:S@h:1", "/%2FS%40h") +
			pick(t, "query", "", "", "?", "?S", "?S=1", "?password=S", "?password=S&password=S", "?token=S", "?password_file=S",
				"?password_env=S", "?token_env=S", "?ca_file=S", "?db=S", "?x=1;S", "?endpoint=http://u:S@127.0.0.1:1", "?capacity=S",
				"?cache=S", "?consistency=S", "?sentinel_password=S", "?x=u:S@h", "?endpoint=u:S", "?region=x&endpoint=http://S@h") +
			pick(t, "fragment", "", "", "", "#S", "#u:S@h")
		return strings.ReplaceAll(text, "S", secret)
	}).Filter(func(text string) bool { return !isHost(text) })
}

// isHost reports whether the text has the secret where a URL has its host, with nothing that says that it is none: then it is
// the name of a host.
func isHost(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	return strings.Contains(authority, words[0]) && !strings.ContainsAny(authority, ":%") && !strings.Contains(rest, "@")
}

// Found returns the first text that shows a word of a secret, in whatever case, as it is, in hexadecimal or Base64, and
// the word; empty if none does.
func Found(texts ...string) (text, word string) {
	for _, text := range texts {
		for _, word := range words {
			if shows(text, word) {
				return text, word
			}
		}
	}
	return "", ""
}

func shows(text, word string) bool {
	folded := strings.ToLower(text)
	if strings.Contains(folded, strings.ToLower(word)) || strings.Contains(folded, hex.EncodeToString([]byte(word))) {
		return true
	}
	for offset := range 3 { // what is before the word decides how it is encoded
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + word))
		if strings.Contains(text, encoded[2*min(offset, 1)+offset/2:len(encoded)-2]) {
			return true
		}
	}
	return false
}

// Chain returns the texts of an error and of all errors that it wraps.
func Chain(err error) (texts []string) {
	if err == nil {
		return nil
	}
	texts = append(texts, err.Error(), fmt.Sprintf("%+v %q", err, err))
	switch wrapper := err.(type) { //nolint:errorlint // each error of the tree in turn
	case interface{ Unwrap() error }:
		texts = append(texts, Chain(wrapper.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, wrapped := range wrapper.Unwrap() {
			texts = append(texts, Chain(wrapped)...)
		}
	}
	return texts
}

// Renderings returns the value as every usual way of printing shows it, also within other values.
func Renderings(value any) (shown []string) {
	type outer struct{ Inner any }
	for _, v := range []any{value, []any{value}, map[string]any{"k": value}, outer{value}, &outer{value}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			shown = append(shown, fmt.Sprintf(verb, v))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("it", "value", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("it", "value", v)
		shown = append(shown, log.String())
		if text, err := json.Marshal(v); err == nil {
			shown = append(shown, string(text))
		}
	}
	return shown
}
