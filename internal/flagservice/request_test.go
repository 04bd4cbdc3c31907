package flagservice

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// transport answers requests from a function.
type transport func(*http.Request) *http.Response

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response := f(r)
	response.Request = r
	if response.Body == nil {
		response.Body = io.NopCloser(strings.NewReader(""))
	}
	return response, nil
}

func newEndpoint(t *testing.T, client *http.Client, base, filter string) *Endpoint {
	t.Helper()
	settings := core.ClientSettings{SDKKey: "the-key", HTTPClient: client}.WithDefaults()
	endpoint, err := NewEndpoint(settings, base, "sdk/latest-all", filter)
	require.NoError(t, err)
	return endpoint
}

func TestNewEndpoint_URL(t *testing.T) {
	for _, test := range []struct{ base, filter, want string }{
		{"http://h", "", "http://h/sdk/latest-all"},
		{"http://h/", "", "http://h/sdk/latest-all"},
		{"http://h/a/b//", "", "http://h/a/b/sdk/latest-all"},
		{"https://h:8/a%2Fb", "f", "https://h:8/a%2Fb/sdk/latest-all?filter=f"},
		{"https://user:secret@h#x", "", "https://h/sdk/latest-all"},
		{"https://h?x=1%202", "a.b_c-d", "https://h/sdk/latest-all?filter=a.b_c-d&x=1+2"},
		{"https://[::1]:80", "", "https://[::1]:80/sdk/latest-all"},
	} {
		require.Equal(t, test.want, newEndpoint(t, http.DefaultClient, test.base, test.filter).url)
	}
}

func TestEndpoint_Get_RefusesToLeaveTheOrigin(t *testing.T) {
	for _, test := range []struct{ base, target string }{
		{"https://h", "http://h/elsewhere"},
		{"http://h", "https://h/elsewhere"},
		{"https://h", "https://other/elsewhere"},
		{"https://h", "https://sub.h/elsewhere"},
		{"https://h", "//other/elsewhere"},
		{"https://h", "https://h:444/elsewhere"},
		{"http://h:81", "http://h/elsewhere"},
		{"http://[::1]:81", "http://[::1]:82/elsewhere"},
		{"https://h", "https://H/elsewhere"},
	} {
		asked, err := getRedirected(t, test.base, "/same", test.target)
		require.ErrorContains(t, err, "another scheme, host or port", test)
		require.NotContains(t, err.Error(), "elsewhere")
		require.Equal(t, []string{"/sdk/latest-all", "/same"}, asked, test)
	}
}

func TestEndpoint_Get_FollowsRedirectsWithinTheOrigin(t *testing.T) {
	for _, test := range []struct{ base, target string }{
		{"https://h", "/elsewhere"},
		{"https://h", "https://h/elsewhere"},
		{"https://h", "https://h:443/elsewhere"},
		{"http://h:80", "http://h/elsewhere"},
		{"http://[::1]:81", "http://[::1]:81/elsewhere"},
	} {
		asked, err := getRedirected(t, test.base, test.target)
		require.NoError(t, err, test)
		require.Equal(t, []string{"/sdk/latest-all", "/elsewhere"}, asked, test)
	}
}

// getRedirected makes a request that is redirected to the targets one after the other, and returns the paths that were
// asked for.
func getRedirected(t *testing.T, base string, targets ...string) (asked []string, err error) {
	t.Helper()
	client := &http.Client{Transport: transport(func(r *http.Request) *http.Response {
		asked = append(asked, r.URL.Path)
		require.Equal(t, "the-key", r.Header.Get("Authorization"))
		if len(asked) > len(targets) {
			return &http.Response{StatusCode: http.StatusOK}
		}
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {targets[len(asked)-1]}}}
	})}
	response, err := newEndpoint(t, client, base, "").Get(t.Context(), nil) //nolint:bodyclose // Discard closes it
	if err == nil {
		Discard(response.Body)
	}
	return asked, err
}

func TestEndpoint_Get_AsksTheClientAboutRedirects(t *testing.T) {
	refusal := errors.New("no redirects")
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return refusal },
		Transport: transport(func(*http.Request) *http.Response {
			return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"/elsewhere"}}}
		}),
	}
	_, err := newEndpoint(t, client, "https://h", "").Get(t.Context(), nil) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, refusal)
}

func TestEndpoint_Get_DoesNotChangeTheSettings(t *testing.T) {
	headers := http.Header{"User-Agent": {"cleat"}}
	var sent http.Header
	client := &http.Client{Transport: transport(func(r *http.Request) *http.Response {
		sent = r.Header
		return &http.Response{StatusCode: http.StatusOK}
	})}
	settings := core.ClientSettings{SDKKey: "the-key", HTTPClient: client, Headers: headers}.WithDefaults()
	endpoint, err := NewEndpoint(settings, "http://h", "all", "")
	require.NoError(t, err)
	response, err := endpoint.Get(t.Context(), http.Header{"Accept": {"x"}}) //nolint:bodyclose // Discard closes it
	require.NoError(t, err)
	Discard(response.Body)
	require.Equal(t, http.Header{"User-Agent": {"cleat"}, "Authorization": {"the-key"}, "Accept": {"x"}}, sent)
	require.Equal(t, http.Header{"User-Agent": {"cleat"}}, headers)
	require.Nil(t, client.CheckRedirect)
}
