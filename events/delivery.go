package events

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"

	"github.com/cleatdev/cleat/core"
)

// maxAnswer is how many bytes of an answer are read; nobody looks at them.
const maxAnswer = 64 << 10

// delivery hands the payloads that the library makes to the library's sender.
type delivery struct {
	sender   ldevents.EventSenderConfiguration
	lifetime context.Context
	refused  *atomic.Bool // set once the service has said that it wants no more
	underWay atomic.Int32 // how many payloads are being delivered
}

var _ ldevents.EventSender = (*delivery)(nil)

func newDelivery(
	lifetime context.Context, settings core.ClientSettings, options *Options, loggers ldlog.Loggers, refused *atomic.Bool,
) *delivery {
	base, _ := url.Parse(options.BaseURI) // which has been checked
	base.User = nil                       // requests are authorized by the SDK key
	if base.Path == "" {
		base.Path = "/" // without which JoinPath makes a relative path
	}
	return &delivery{
		lifetime: lifetime,
		refused:  refused,
		sender: ldevents.EventSenderConfiguration{
			Client:            boundedClient(lifetime, settings.HTTPClient, base, options),
			BaseURI:           base.Scheme + "://" + base.Host, // the library logs it; transport adds the path
			BaseHeaders:       settings.RequestHeaders,
			Loggers:           loggers,
			RetryDelay:        options.RetryDelay,
			EnableCompression: options.EnableGzip,
		},
	}
}

// SendEventData implements [ldevents.EventSender]. When lifetime has ended, nothing could be delivered, and the sender
// would only spend its retry delay on every payload.
func (d *delivery) SendEventData(kind ldevents.EventDataKind, data []byte, count int) ldevents.EventSenderResult {
	if d.lifetime.Err() != nil {
		return ldevents.EventSenderResult{}
	}
	d.underWay.Add(1)
	defer d.underWay.Add(-1)
	result := ldevents.SendEventDataWithRetry(d.sender, kind, "", repair(data), count)
	if result.MustShutDown && kind == ldevents.AnalyticsEventDataKind {
		d.refused.Store(true)
	}
	return result
}

// boundedClient returns a copy of the client whose requests end after a time, and at the latest when lifetime does. It
// follows no redirects, which would carry the contexts and headers of a delivery to wherever an answer says, even
// without encryption; to the sender they are answers like other failures.
func boundedClient(lifetime context.Context, client *http.Client, base *url.URL, options *Options) *http.Client {
	bounded := *client
	bounded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if bounded.Timeout == 0 || bounded.Timeout > options.RequestTimeout {
		bounded.Timeout = options.RequestTimeout
	}
	if bounded.Transport == nil {
		bounded.Transport = http.DefaultTransport
	}
	bounded.Transport = &transport{next: bounded.Transport, base: base, lifetime: lifetime}
	return &bounded
}

// transport sends requests to where events are delivered, and ends them when lifetime ends.
type transport struct {
	next     http.RoundTripper
	base     *url.URL // which the library does not see: it logs URLs, and a path may be secret
	lifetime context.Context
}

// RoundTrip implements [http.RoundTripper]. It reads the answer's body, so that the connection can be used again and
// nothing of the request is left when it returns; the response has none.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	defer context.AfterFunc(t.lifetime, cancel)()
	sent := request.WithContext(ctx)
	sent.URL = t.base.JoinPath(request.URL.Path)
	response, err := t.next.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	// The status has arrived and says everything; an answer that breaks off changes nothing about it.
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	_ = response.Body.Close()
	response.Body = http.NoBody
	return response, nil
}
