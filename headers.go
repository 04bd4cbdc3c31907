package cleat

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// Version is the version of this library.
const Version = "0.1.0"

// maxTagLength is how long a tag's value may be; the flag service refuses longer ones.
const maxTagLength = 64

// Application names the application that a client is part of. The flag service shows it with what the client reports.
// Values have at most 64 characters, of which each is an ASCII letter or digit, '.', '_' or '-'; others are logged and
// not sent.
type Application struct {
	ID, Version string
}

// Wrapper names a library that wraps this one. A wrapper without a name is none.
type Wrapper struct {
	Name, Version string
}

// header returns what the options and names come to in requests to the flag service.
func (c *Config) header() http.Header {
	header := c.HTTP.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("User-Agent", "cleat/"+Version)
	header.Set("X-LaunchDarkly-Instance-Id", uuid.NewString())
	if tags := c.Application.tags(c.Logger); tags != "" {
		header.Set("X-LaunchDarkly-Tags", tags)
	}
	if wrapper := c.Wrapper.header(c.Logger); wrapper != "" {
		header.Set("X-LaunchDarkly-Wrapper", wrapper)
	}
	return header
}

// tags returns the tags in the order of their names, as the flag service wants them.
func (a Application) tags(logger *slog.Logger) string {
	var tags []string
	add := func(name, value string) {
		switch {
		case value == "":
		case len(value) > maxTagLength || strings.ContainsFunc(value, notInTag):
			logger.Warn("cleat: Config.Application has a value that the flag service refuses; it is not sent; "+
				"use at most 64 letters, digits, '.', '_' and '-'", "name", name, "value", value)
		default:
			tags = append(tags, name+"/"+value)
		}
	}
	add("application-id", a.ID)
	add("application-version", a.Version)
	return strings.Join(tags, " ")
}

func notInTag(r rune) bool { return !isASCIIAlphanumeric(r) && !strings.ContainsRune("._-", r) }

func isASCIIAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func (w Wrapper) header(logger *slog.Logger) string {
	value := w.Name
	if w.Name != "" && w.Version != "" {
		value += "/" + w.Version
	}
	if !isHeaderValue(value) {
		logger.Warn("cleat: Config.Wrapper contains characters that no header can have; it is not sent", "wrapper", value)
		return ""
	}
	return value
}
