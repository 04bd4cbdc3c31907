package cleat

import (
	"context"
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

// Identify records that the context exists, so that the flag service shows it. An error wraps [core.ErrInvalid].
func (c *Client) Identify(ctx context.Context, evalContext ldcontext.Context) error {
	if err := validateEvent(ctx, &evalContext); err != nil {
		return err
	}
	if !c.closed.Load() {
		c.events.send(core.IdentifyEvent{EventBase: eventBase(&evalContext)})
	}
	return nil
}

// Track records that something happened to the context that the application calls by the key. An error wraps
// [core.ErrInvalid].
func (c *Client) Track(ctx context.Context, key string, evalContext ldcontext.Context) error {
	return c.track(ctx, &HookTrack{Key: key, Context: evalContext})
}

// TrackData is Track with data of any form, which may be null.
func (c *Client) TrackData(ctx context.Context, key string, evalContext ldcontext.Context, data ldvalue.Value) error {
	return c.track(ctx, &HookTrack{Key: key, Context: evalContext, Data: data})
}

// TrackMetric is TrackData with a number, which experiments may evaluate.
func (c *Client) TrackMetric(
	ctx context.Context, key string, evalContext ldcontext.Context, metric float64, data ldvalue.Value,
) error {
	return c.track(ctx, &HookTrack{Key: key, Context: evalContext, Data: data, Metric: metric, HasMetric: true})
}

func (c *Client) track(ctx context.Context, event *HookTrack) error {
	if err := validateEvent(ctx, &event.Context); err != nil {
		return err
	}
	if event.Key == "" {
		return fmt.Errorf("cleat: %w: a custom event has no key", core.ErrInvalid)
	}
	if c.closed.Load() {
		return nil
	}
	c.events.send(core.CustomEvent{
		EventBase: eventBase(&event.Context), Key: event.Key, Data: event.Data,
		Metric: event.Metric, HasMetric: event.HasMetric,
	})
	if len(c.hooks.all) > 0 {
		event.EnvironmentID = c.sink.environmentID()
		c.hooks.track(ctx, *event)
	}
	return nil
}

// Flush asks for recorded events to be delivered as soon as possible, and returns at once.
func (c *Client) Flush() { c.events.processor.Flush() }

func validateEvent(ctx context.Context, evalContext *ldcontext.Context) error {
	if ctx == nil {
		return fmt.Errorf("cleat: %w: the context is nil", core.ErrInvalid)
	}
	if err := evalContext.Err(); err != nil {
		return fmt.Errorf("cleat: %w: the evaluation context is not valid: %w", core.ErrInvalid, err)
	}
	return nil
}
