package cleat

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

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
		return fmt.Errorf("%w: a custom event has no key", core.ErrInvalid)
	}
	if c.closed.Load() {
		return nil
	}
	c.events.send(core.CustomEvent{
		EventBase: eventBase(&event.Context), Key: event.Key, Data: event.Data,
		Metric: event.Metric, HasMetric: event.HasMetric,
	})
	if len(c.hooks.all) > 0 {
		event.EnvironmentID = c.sink.EnvironmentID()
		c.hooks.track(ctx, *event)
	}
	return nil
}

// Flush asks for recorded events to be delivered as soon as possible, and returns at once.
func (c *Client) Flush() { c.events.processor.Flush() }

func validateEvent(ctx context.Context, evalContext *ldcontext.Context) error {
	if ctx == nil {
		return fmt.Errorf("%w: the context is nil", core.ErrInvalid)
	}
	if err := evalContext.Err(); err != nil {
		return fmt.Errorf("%w: the evaluation context is not valid: %w", core.ErrInvalid, err)
	}
	return nil
}

// clientEvents makes events of what the client does.
type clientEvents struct {
	processor core.EventProcessor
	logger    *slog.Logger
	off       bool // events are off
}

// send hands an event over. A processor of the application's may panic, which concerns no caller who evaluates a flag.
func (e *clientEvents) send(event core.Event) {
	defer func() {
		if cause := recover(); cause != nil {
			e.logger.Error("cleat: the event processor panicked", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	e.processor.Send(event)
}

// RecordStreamInit implements [core.StreamInitRecorder] for the data source, which is made before the event processor.
func (e *clientEvents) RecordStreamInit(began time.Time, took time.Duration, failed bool) {
	if recorder, ok := e.processor.(core.StreamInitRecorder); ok {
		recorder.RecordStreamInit(began, took, failed)
	}
}

func eventBase(evalContext *ldcontext.Context) core.EventBase {
	return core.EventBase{Time: ldtime.UnixMillisFromTime(time.Now()), Context: *evalContext}
}

// evaluation sends the events of one call: those of prerequisites, and that of the flag itself, of which the caller got
// the detail in result. What is evaluated for a context that is not valid, or by a client that is closed, is no event.
func (e *clientEvents) evaluation(
	m *method, key string, evalContext *ldcontext.Context, defaultValue ldvalue.Value,
	result *evaluated,
) {
	if evalContext.Err() != nil {
		return
	}
	base := eventBase(evalContext)
	for _, prerequisite := range result.prerequisites.all() {
		event := core.EvaluationEvent{
			EventBase: base, Key: prerequisite.PrerequisiteFlag.Key, Detail: prerequisite.PrerequisiteResult.Detail,
			PrerequisiteOf: prerequisite.TargetFlagKey, WithReason: m.detail,
		}
		describeFlag(&event, prerequisite.PrerequisiteFlag, prerequisite.PrerequisiteResult.IsExperiment)
		e.send(event)
	}
	event := core.EvaluationEvent{
		EventBase: base, Key: key, Detail: result.Detail, Default: defaultValue, WithReason: m.detail,
	}
	if result.flag != nil {
		describeFlag(&event, result.flag, result.IsExperiment)
	}
	e.send(event)
}

// describeFlag puts into an event what the flag says about its events. What is part of an experiment is always recorded
// by itself and with its reason.
func describeFlag(event *core.EvaluationEvent, flag *ldmodel.FeatureFlag, experiment bool) {
	event.FlagVersion = ldvalue.NewOptionalInt(flag.Version)
	event.RequireFullEvent = flag.TrackEvents || experiment
	event.WithReason = event.WithReason || experiment
	event.DebugEventsUntil = flag.DebugEventsUntilDate
	event.SamplingRatio = flag.SamplingRatio
	event.ExcludeFromSummaries = flag.ExcludeFromSummaries
}
