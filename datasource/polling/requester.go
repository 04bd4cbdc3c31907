package polling

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// NewRequester returns what fetches everything from the flag service. Of the options it uses BaseURI, PayloadFilter,
// RequestTimeout and MaxPayloadSize; an error wraps [core.ErrInvalid]. Concurrent calls of FetchAll wait for each other.
func NewRequester(settings core.ClientSettings, options Options) (core.FeatureRequester, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	settings = settings.WithDefaults()
	options = options.withDefaults(settings)
	endpoint, err := flagservice.NewEndpoint(settings, options.BaseURI, "sdk/latest-all", options.PayloadFilter)
	if err != nil {
		return nil, fmt.Errorf("polling: %w", err)
	}
	return &requester{endpoint: endpoint, options: options, logger: settings.Logger}, nil
}

// requester asks the flag service.
type requester struct {
	endpoint *flagservice.Endpoint
	options  Options
	logger   *slog.Logger

	calling sync.Mutex // held by the one caller of FetchAll

	mu            sync.Mutex // guards what follows
	entityTag     string     // of the last data; empty if it had none
	environmentID string
}

// FetchAll implements [core.FeatureRequester].
func (r *requester) FetchAll(ctx context.Context) (data []core.Collection, changed bool, err error) {
	if ctx == nil {
		return nil, false, fmt.Errorf("polling: %w: the context is nil", core.ErrInvalid)
	}
	r.calling.Lock()
	defer r.calling.Unlock()
	limited, cancel := context.WithTimeoutCause(ctx, r.options.RequestTimeout,
		fmt.Errorf("the flag service has not answered completely within %v", r.options.RequestTimeout))
	defer cancel()
	data, changed, err = r.fetch(limited)
	if err != nil && ctx.Err() != nil {
		return nil, false, ctx.Err()
	}
	return data, changed, flagservice.Cause(limited, err)
}

func (r *requester) fetch(ctx context.Context) (data []core.Collection, changed bool, err error) {
	tag := r.tag()
	headers := http.Header{"Accept": {"application/json"}}
	if tag != "" {
		headers.Set("If-None-Match", tag)
	}
	response, err := r.endpoint.Get(ctx, headers) //nolint:bodyclose // Discard closes it
	if err != nil {
		return nil, false, err
	}
	defer flagservice.Discard(response.Body)
	switch {
	case response.StatusCode == http.StatusNotModified && tag != "":
		r.note(response.Header, tag)
		return nil, false, nil
	case response.StatusCode != http.StatusOK:
		return nil, false, &flagservice.StatusError{Status: response.StatusCode}
	}
	data, err = flagservice.ReadAll(flagservice.Limit(response.Body, r.options.MaxPayloadSize, "MaxPayloadSize"), r.logger)
	if err != nil {
		return nil, false, err
	}
	r.note(response.Header, response.Header.Get("Etag"))
	return data, true, nil
}

func (r *requester) tag() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entityTag
}

// note remembers what an answer that is understood says about itself.
func (r *requester) note(headers http.Header, tag string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entityTag = tag
	if id := flagservice.EnvironmentID(headers); id != "" {
		r.environmentID = id
	}
}

// EnvironmentID returns which environment the last answer was about; empty if the service has not said.
func (r *requester) EnvironmentID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.environmentID
}
