package core

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// The public flag service, as LaunchDarkly documents it.
const (
	DefaultStreamingURI = "https://stream.launchdarkly.com"
	DefaultPollingURI   = "https://sdk.launchdarkly.com"
	DefaultEventsURI    = "https://events.launchdarkly.com"
)

// ServiceEndpoints says where the flag service is. Each is a base URI such as https://relay.example.com, with or without
// a slash at its end, to which paths are added; empty means the public service. Relay Proxy serves Streaming and Events; polls
// of package datasource/polling it does not answer.
type ServiceEndpoints struct {
	Streaming, Polling, Events string
}

// String describes the endpoints by their schemes and hosts, because the rest of a URI may contain a password.
func (e ServiceEndpoints) String() string {
	return fmt.Sprintf("core.ServiceEndpoints{Streaming: %q, Polling: %q, Events: %q}",
		schemeAndHost(e.Streaming), schemeAndHost(e.Polling), schemeAndHost(e.Events))
}

// GoString is String.
func (e ServiceEndpoints) GoString() string { return e.String() }

// LogValue is String as a value of package slog.
func (e ServiceEndpoints) LogValue() slog.Value { return slog.StringValue(e.String()) }

// MarshalText is String for JSON and YAML.
func (e ServiceEndpoints) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

func schemeAndHost(uri string) string {
	if uri == "" {
		return ""
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
		strings.Contains(u.EscapedPath()+u.RawQuery+u.EscapedFragment(), "@") { // torn apart by a password
		return "REDACTED"
	}
	return u.Scheme + "://" + u.Host
}

// WithDefaults returns the endpoints with the public service in place of what is empty, and without slashes at the end.
func (e ServiceEndpoints) WithDefaults() ServiceEndpoints {
	or := func(uri, byDefault string) string {
		if uri == "" {
			uri = byDefault
		}
		return strings.TrimRight(uri, "/")
	}
	return ServiceEndpoints{
		Streaming: or(e.Streaming, DefaultStreamingURI),
		Polling:   or(e.Polling, DefaultPollingURI),
		Events:    or(e.Events, DefaultEventsURI),
	}
}

// ClientSettings is what a client tells the components that it makes. The client fills in everything; the zero value is
// usable too, with a call of [ClientSettings.WithDefaults].
type ClientSettings struct {
	// SDKKey is the key of the environment, sent as the Authorization header. It must appear in no log and no error.
	SDKKey string

	// CurrentSDKKey returns the key of the next request, for a key that is replaced while the client runs; nil means SDKKey. It
	// must be safe for concurrent use, and the key appears in no log and no error. [ClientSettings.RequestHeaders] calls it.
	CurrentSDKKey func() string

	// Logger gets what goes wrong; nil means slog.Default().
	Logger *slog.Logger

	// Endpoints says where the flag service is.
	Endpoints ServiceEndpoints

	// HTTPClient sends requests to the flag service. It bounds the time until a connection is made and nothing else: each
	// request needs a deadline of its own. nil means http.DefaultClient, which goes on using an HTTP/2 connection that the
	// network has dropped silently for about 16 minutes; a [http.Transport] with an [http.HTTP2Config] that has a
	// SendPingTimeout does not. The client's own has one.
	HTTPClient *http.Client

	// Headers are sent with every request to the flag service: User-Agent, tags, wrapper and instance, and not the
	// authorization. They must not be changed.
	Headers http.Header

	// StreamInits counts attempts to open a stream; nil if they are not counted. It may be called once the data source is started.
	StreamInits StreamInitRecorder

	// Diagnostics describes the client's whole configuration for diagnostic events, in the form in which the flag service
	// takes it; null if there is nothing to tell. Only the event processor gets it, which adds what concerns itself.
	Diagnostics ldvalue.Value

	// Started is when the client was made.
	Started time.Time
}

// WithDefaults returns the settings with defaults in place of what is missing.
func (s ClientSettings) WithDefaults() ClientSettings {
	s.Endpoints = s.Endpoints.WithDefaults()
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	if s.HTTPClient == nil {
		s.HTTPClient = http.DefaultClient
	}
	if s.Headers == nil {
		s.Headers = http.Header{}
	}
	if s.Started.IsZero() {
		s.Started = time.Now()
	}
	return s
}

// RequestHeaders returns the headers of the next request to the flag service, the authorization included, in a copy that
// belongs to the caller. It is called for each request, because the SDK key may change.
func (s ClientSettings) RequestHeaders() http.Header {
	headers := s.Headers.Clone()
	if headers == nil {
		headers = http.Header{}
	}
	key := s.SDKKey
	if s.CurrentSDKKey != nil {
		key = s.CurrentSDKKey()
	}
	headers.Set("Authorization", key)
	return headers
}

// String describes the settings without the SDK key and the headers.
func (s ClientSettings) String() string {
	return fmt.Sprintf("core.ClientSettings{Endpoints: %v}", s.Endpoints)
}

// GoString is String.
func (s ClientSettings) GoString() string { return s.String() }

// LogValue is String as a value of package slog.
func (s ClientSettings) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String for JSON and YAML.
func (s ClientSettings) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
