package cleat

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
)

// clientEvents makes events of what the client does.
type clientEvents struct {
	processor core.EventProcessor
	logger    *slog.Logger
	off       bool // nobody wants any event
}

// send hands an event over. A processor of somebody else's may panic, which concerns nobody who evaluates a flag.
func (e *clientEvents) send(event core.Event) {
	defer func() {
		if cause := recover(); cause != nil {
			e.logger.Error("cleat: the event processor panicked", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	e.processor.Send(event)
}

// prerequisites are the evaluations of prerequisites in the course of one evaluation, in their order.
type prerequisites []evaluation.PrerequisiteFlagEvent

func (p *prerequisites) record(event evaluation.PrerequisiteFlagEvent) { *p = append(*p, event) }

// all returns them; none if p is nil.
func (p *prerequisites) all() []evaluation.PrerequisiteFlagEvent {
	if p == nil {
		return nil
	}
	return *p
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
