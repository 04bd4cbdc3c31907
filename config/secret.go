package config

import (
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// redacted stands in for a secret wherever one would show.
const redacted = "REDACTED"

// hidden holds a text that reflection does not reach: package fmt shows the address in the handle, even where it calls
// no methods because the value is in an unexported field of another struct. Equal texts have equal handles.
type hidden struct {
	handle unique.Handle[string]
}

func hide(text string) hidden {
	if text == "" {
		return hidden{}
	}
	return hidden{unique.Make(text)}
}

func (h hidden) text() string {
	if h == (hidden{}) {
		return ""
	}
	return h.handle.Value()
}

// Secret is a text that shows nowhere but where [Secret.Reveal] is called. Two are equal by == if their texts are. The
// zero value is the empty text.
type Secret struct {
	hidden hidden
}

// NewSecret makes a Secret of the text.
func NewSecret(text string) Secret { return Secret{hide(text)} }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.hidden.text() }

// String returns REDACTED, or nothing if there is no text.
func (s Secret) String() string {
	if s == (Secret{}) {
		return ""
	}
	return redacted
}

// GoString returns what String does.
func (s Secret) GoString() string { return s.String() }

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { writeText(f, s.String()) }

// MarshalText returns what String does, for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what String does, for package slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// URL is a URL that may hold a password. It shows without user, password, and the values of parameters that are not
// known to be harmless, except where [URL.Reveal] is called. Two are equal by == if their texts are. The zero value is
// the empty text.
type URL struct {
	hidden hidden
}

// NewURL makes a URL of the text, which is checked when it is used.
func NewURL(text string) URL { return URL{hide(text)} }

// Reveal returns the whole URL.
func (u URL) Reveal() string { return u.hidden.text() }

// String returns the URL with REDACTED in place of what may be secret, which is everything if the text is no URL.
func (u URL) String() string { return redactURL(u.Reveal()) }

// GoString returns what String does.
func (u URL) GoString() string { return u.String() }

// Format writes what String returns, whatever the verb.
func (u URL) Format(f fmt.State, _ rune) { writeText(f, u.String()) }

// MarshalText returns what String does, for JSON and YAML.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// LogValue returns what String does, for package slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

func writeText(f fmt.State, text string) {
	_, _ = io.WriteString(f, text) // package fmt takes what it is given
}
