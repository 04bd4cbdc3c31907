package cleat

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cleatdev/cleat/internal/httptransport"
	"github.com/cleatdev/cleat/internal/livefile"
)

// DefaultConnectTimeout is how long a client tries to connect to the flag service by default.
const DefaultConnectTimeout = httptransport.DefaultConnectTimeout

// HTTPOptions says how a client reaches the flag service.
type HTTPOptions struct {
	// ProxyURL is the proxy for all requests, such as http://user:password@proxy:3128. Without one, the environment
	// variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY are followed. It appears in no error with its password.
	ProxyURL string

	// CAFile is a file of certificates in PEM form; a server whose certificate was issued by one of them is trusted,
	// besides those that the system trusts. It is read again before a request if it has changed; while it cannot be used, what
	// it held before counts.
	CAFile string

	// InsecureSkipVerify is true if the server's certificate is not to be checked at all. Then every host on the way can read
	// the SDK key; it is for tests.
	InsecureSkipVerify bool

	// ConnectTimeout is how long to try to make a connection, the TLS handshake included; 0 means 3 s.
	ConnectTimeout time.Duration

	// Header is sent with every request besides the headers that the client needs itself, which it does not replace.
	Header http.Header

	// Transport sends the requests if it is not nil; ProxyURL, CAFile, InsecureSkipVerify and ConnectTimeout must then be
	// zero. An [http.Transport] that speaks HTTP/2 should have an [http.HTTP2Config] with a SendPingTimeout, as the client's
	// own has: without one, a connection that the network drops silently stays in use for about 16 minutes.
	Transport http.RoundTripper
}

// newClient makes a client of the options. It has no limit on the time of a whole request, because a stream has none.
func (o *HTTPOptions) newClient(logger *slog.Logger) (*http.Client, error) {
	if o.Transport != nil {
		if o.ProxyURL != "" || o.CAFile != "" || o.InsecureSkipVerify || o.ConnectTimeout != 0 {
			return nil, errors.New("has a Transport, beside which ProxyURL, CAFile, InsecureSkipVerify and ConnectTimeout " +
				"have no effect; set them in the Transport")
		}
		return &http.Client{Transport: o.Transport}, nil
	}
	timeout := o.ConnectTimeout
	switch {
	case timeout < 0:
		return nil, fmt.Errorf(".ConnectTimeout is negative: %v", timeout)
	case timeout == 0:
		timeout = DefaultConnectTimeout
	}
	proxy, err := o.proxy()
	if err != nil {
		return nil, err
	}
	build := func(config *tls.Config) *http.Transport {
		transport := httptransport.New(timeout)
		transport.Proxy = proxy
		if config != nil {
			transport.TLSClientConfig = config.Clone()
		}
		transport.TLSClientConfig.InsecureSkipVerify = o.InsecureSkipVerify
		return transport
	}
	if o.CAFile == "" {
		return &http.Client{Transport: build(nil)}, nil
	}
	roots, err := livefile.Authorities(logger, "Config.HTTP.CAFile", o.CAFile, true)
	if err != nil {
		return nil, fmt.Errorf(".CAFile %s cannot be used: %w", o.CAFile, err)
	}
	return &http.Client{Transport: livefile.NewTransport(livefile.TLS(roots, nil), build)}, nil
}

func (o *HTTPOptions) proxy() (func(*http.Request) (*url.URL, error), error) {
	if o.ProxyURL == "" {
		return http.ProxyFromEnvironment, nil
	}
	proxy, err := url.Parse(o.ProxyURL)
	if err != nil || proxy.Host == "" || strings.Contains(proxy.EscapedPath()+proxy.RawQuery+proxy.EscapedFragment(), "@") {
		return nil, errors.New(".ProxyURL is not of the form http://host:port, or has a password whose characters / ? and # are not " +
			"written as %2F, %3F and %23")
	}
	switch proxy.Scheme {
	case "http", "https", "socks5", "socks5h":
		return http.ProxyURL(proxy), nil
	}
	return nil, errors.New(".ProxyURL has an unknown scheme; http, https, socks5 and socks5h are known")
}

// validateHeader returns an error that names the first header that cannot be sent.
func (o *HTTPOptions) validateHeader() error {
	for name, values := range o.Header {
		if name == "" || strings.ContainsFunc(name, notInHeaderName) {
			return errors.New(".Header has a name that no header can have (it is not shown, because it may contain a value)")
		}
		for _, value := range values {
			if !isHeaderValue(value) {
				return fmt.Errorf(".Header has a value under %s that contains characters that no header can have", name)
			}
		}
	}
	return nil
}

// notInHeaderName reports whether the character is not one of a token as RFC 9110 defines it.
func notInHeaderName(r rune) bool {
	return !isASCIIAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func isHeaderValue(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == '\x7f' })
}

// String describes the options without what may be secret in them.
func (o HTTPOptions) String() string {
	return fmt.Sprintf("cleat.HTTPOptions{CAFile: %q, InsecureSkipVerify: %v, ConnectTimeout: %v, Transport: %T}",
		o.CAFile, o.InsecureSkipVerify, o.ConnectTimeout, o.Transport)
}

// GoString is String.
func (o HTTPOptions) GoString() string { return o.String() }

// LogValue is String as a value of package slog.
func (o HTTPOptions) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText is String for JSON and YAML.
func (o HTTPOptions) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

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
