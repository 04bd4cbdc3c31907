package flagservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/cleatdev/cleat/core"
)

// Endpoint is where requests of one sort go, and with what. It is safe for concurrent use.
type Endpoint struct {
	client  *http.Client
	url     string
	headers func() http.Header
}

// NewEndpoint returns the endpoint with the given path under a base URI, which may end in a slash, with a query parameter
// for the payload filter if that is not empty. A filter that cannot be one is logged and left out. An error wraps
// [core.ErrInvalid].
func NewEndpoint(settings core.ClientSettings, base, path, filter string) (*Endpoint, error) {
	if strings.ContainsAny(settings.SDKKey, "\r\n\x00") {
		return nil, fmt.Errorf("%w: the SDK key contains a line break, which no key has", core.ErrInvalid)
	}
	u, err := ParseBase(base)
	if err != nil {
		return nil, err
	}
	u = u.JoinPath(path)
	if filter = checkFilter(filter, settings.Logger); filter != "" {
		query := u.Query()
		query.Set("filter", filter)
		u.RawQuery = query.Encode()
	}
	return &Endpoint{
		client:  careful(settings.HTTPClient),
		url:     u.String(),
		headers: settings.RequestHeaders,
	}, nil
}

// With returns the endpoint with another query parameter; the same one if the value is empty.
func (e *Endpoint) With(name, value string) *Endpoint {
	if value == "" {
		return e
	}
	other, separator := *e, "?"
	if strings.Contains(e.url, "?") {
		separator = "&"
	}
	other.url += separator + url.QueryEscape(name) + "=" + url.QueryEscape(value)
	return &other
}

// ParseBase parses a base URI. A user name and password in it are dropped: requests are authorized by the SDK key, so
// that they would be of no use, and could only be seen by others. An error wraps [core.ErrInvalid] and shows nothing of it.
func ParseBase(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("%w: the base URI is no URL (it is not shown, because it may contain a password)", core.ErrInvalid)
	}
	if strings.Contains(u.EscapedPath()+u.RawQuery+u.EscapedFragment(), "@") {
		return nil, fmt.Errorf("%w: the base URI has an @ behind the place of its host (it is not shown, because it may contain a "+
			"password); the characters / ? and # of a password are written as %%2F, %%3F and %%23", core.ErrInvalid)
	}
	u.User, u.Fragment = nil, ""
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%w: the base URI has not the form https://host (it is not shown, because it may contain a password)",
			core.ErrInvalid)
	}
	return u, nil
}

// checkFilter returns the key of a payload filter, or "" if it cannot be one.
func checkFilter(filter string, logger *slog.Logger) string {
	valid := regexp.MustCompile(`^[a-zA-Z0-9][._\-a-zA-Z0-9]*$`)
	if filter == "" || valid.MatchString(filter) {
		return filter
	}
	logger.Error("cleat: the payload filter is ignored, so that everything is delivered: "+
		"its key must begin with a letter or digit and consist of letters, digits, '.', '_' and '-'",
		"filter", filter)
	return ""
}

// careful returns a client that follows redirects within the origin only. Any other server would be sent the headers of
// the settings, such as the token of a gateway, and one at another port of the same host even the SDK key.
func careful(client *http.Client) *http.Client {
	const maxRedirects = 10
	guarded := *client
	guarded.CheckRedirect = func(request *http.Request, via []*http.Request) error {
		if !sameOrigin(request.URL, via[0].URL) {
			return errors.New("the flag service redirects to another scheme, host or port, which is refused because the " +
				"SDK key and other headers would be sent there; if they belong there, change the base URI")
		}
		if client.CheckRedirect != nil {
			return client.CheckRedirect(request, via)
		}
		if len(via) >= maxRedirects {
			return fmt.Errorf("the flag service redirects more than %d times", maxRedirects)
		}
		return nil
	}
	return &guarded
}

// sameOrigin reports whether two URLs agree in scheme, host and port. As in the HTTP client, which drops the SDK key
// otherwise, case matters in hosts.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.Hostname() == b.Hostname() && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// Get sends a request with the given headers besides those that all requests have. The response is that of a server,
// with whatever status; its body must be closed, best by [Discard]. One of a proxy is an error: see [FromProxy].
func (e *Endpoint) Get(ctx context.Context, headers http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, http.NoBody)
	if err != nil {
		return nil, WithoutURL(err)
	}
	request.Header = e.headers()
	for name, values := range headers {
		request.Header[name] = values
	}
	response, err := e.client.Do(request)
	if err != nil {
		return nil, Cause(ctx, WithoutURL(err))
	}
	if err := FromProxy(response); err != nil {
		Discard(response.Body)
		return nil, err
	}
	return response, nil
}

// Discard closes a body that is not needed. It reads a little, so that the connection of a short error page can be used
// again.
func Discard(body io.ReadCloser) {
	const enough = 8 << 10
	_, _ = io.CopyN(io.Discard, body, enough)
	_ = body.Close()
}

// AnnounceEnvironment tells the sink which environment the response is about, if both know of that.
func AnnounceEnvironment(sink core.DataSourceUpdateSink, id string) {
	if s, ok := sink.(core.EnvironmentIDSink); ok && id != "" {
		s.SetEnvironmentID(id)
	}
}

// EnvironmentID returns the identifier of the environment that a response is about; empty if it does not say.
func EnvironmentID(headers http.Header) string { return headers.Get("X-Ld-Envid") }
