package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cleatdev/cleat/internal/flagservice"
)

// maxAnswer is how many bytes of an answer are read; their content does not matter.
const maxAnswer = 64 << 10

// attempts sends the requests of one payload to where events are delivered, ends them when lifetime ends, and remembers why
// the last one failed. Requests come one after the other.
type attempts struct {
	next     http.RoundTripper
	base     *url.URL // which the library does not see, because a path may be secret
	lifetime context.Context
	timeout  time.Duration // of a request, for the problem's text

	problem error // without secrets
}

// RoundTrip implements [http.RoundTripper]. It reads the answer's body, so that the connection can be used again and
// nothing of the request is left when it returns; the response has none.
func (a *attempts) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	defer context.AfterFunc(a.lifetime, cancel)()
	sent := request.WithContext(ctx)
	sent.URL = a.base.JoinPath(request.URL.Path)
	response, err := a.next.RoundTrip(sent)
	if err != nil {
		a.problem = a.explain(err)
		return nil, err
	}
	// The status has arrived and says everything; an answer that breaks off changes nothing about it.
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	_ = response.Body.Close()
	response.Body = http.NoBody
	if a.problem = flagservice.FromProxy(response); a.problem == nil {
		a.problem = explainStatus(response.StatusCode)
	}
	return response, nil
}

func (a *attempts) explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the events service has not answered within %v", a.timeout)
	}
	return flagservice.Explain(err)
}

// explainStatus says what an answer says and what to do; its text matters only if the answer is no success.
func explainStatus(status int) error {
	advice := ""
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		advice = "; check the SDK key"
	case status == http.StatusRequestEntityTooLarge:
		advice = "; a smaller Options.Capacity makes smaller deliveries"
	case status == http.StatusBadRequest || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests:
	case status >= 300 && status < 500:
		advice = "; check the events URI, and proxies on the way to it"
	}
	return fmt.Errorf("the events service answered %d %s%s", status, http.StatusText(status), advice)
}
