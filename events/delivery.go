package events

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"

	"github.com/cleatdev/cleat/core"
)

// delivery hands the payloads that the library makes to the library's sender.
type delivery struct {
	sender   ldevents.EventSenderConfiguration // without a client
	client   *http.Client
	base     *url.URL
	lifetime context.Context

	underWay    atomic.Int32 // how many payloads are being delivered
	delivering  atomic.Int32 // how many of them are of events
	events      outage
	diagnostics outage
}

var _ ldevents.EventSender = (*delivery)(nil)

func newDelivery(lifetime context.Context, settings core.ClientSettings, options *Options) *delivery {
	base, _ := url.Parse(options.BaseURI) // which has been checked
	base.User = nil                       // requests are authorized by the SDK key
	if base.Path == "" {
		base.Path = "/" // without which JoinPath makes a relative path
	}
	return &delivery{
		lifetime:    lifetime,
		client:      boundedClient(settings.HTTPClient, options),
		base:        base,
		events:      outage{logger: settings.Logger, what: "events"},
		diagnostics: outage{logger: settings.Logger, what: "diagnostic events"},
		sender: ldevents.EventSenderConfiguration{
			BaseURI:           base.Scheme + "://" + base.Host, // attempts add the path
			BaseHeaders:       settings.RequestHeaders,
			Loggers:           ldlog.NewDisabledLoggers(), // it has a line for each attempt; outage has one for all
			RetryDelay:        options.RetryDelay,
			EnableCompression: options.EnableGzip,
		},
	}
}

// SendEventData implements [ldevents.EventSender]. When lifetime has ended, nothing could be delivered, and the sender
// would only spend its retry delay on every payload. The library is never told to shut down, which it would do for good.
func (d *delivery) SendEventData(kind ldevents.EventDataKind, data []byte, count int) ldevents.EventSenderResult {
	outage := &d.diagnostics
	if kind == ldevents.AnalyticsEventDataKind {
		outage = &d.events
		d.delivering.Add(1)
		defer d.delivering.Add(-1)
	}
	if d.lifetime.Err() != nil || outage.paused() {
		outage.failures.Add(1)
		return ldevents.EventSenderResult{}
	}
	d.underWay.Add(1)
	defer d.underWay.Add(-1)
	attempts := &attempts{next: d.client.Transport, base: d.base, lifetime: d.lifetime, timeout: d.client.Timeout}
	client, sender := *d.client, d.sender
	client.Transport, sender.Client = attempts, &client
	result := ldevents.SendEventDataWithRetry(sender, kind, "", repair(data), count)
	switch {
	case result.Success:
		outage.succeeded()
	case d.lifetime.Err() != nil: // Close has broken it off
		outage.failures.Add(1)
	default:
		outage.failed(attempts.problem, result.MustShutDown)
	}
	result.MustShutDown = false
	return result
}

// boundedClient returns a copy of the client whose requests end after a time. It follows no redirects, which would carry the
// contexts and headers of a delivery to wherever an answer says, even without encryption; to the sender they are answers
// like other failures.
func boundedClient(client *http.Client, options *Options) *http.Client {
	bounded := *client
	bounded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if bounded.Timeout == 0 || bounded.Timeout > options.RequestTimeout {
		bounded.Timeout = options.RequestTimeout
	}
	if bounded.Transport == nil {
		bounded.Transport = http.DefaultTransport
	}
	return &bounded
}
