package events

import (
	"maps"
	"math"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"

	"github.com/cleatdev/cleat/core"
)

func baseData(event *core.EventBase) ldevents.BaseEvent {
	return ldevents.BaseEvent{CreationDate: event.Time, Context: ldevents.Context(event.Context)}
}

func evaluationData(event *core.EvaluationEvent) ldevents.EvaluationData {
	data := ldevents.EvaluationData{
		BaseEvent:            baseData(&event.EventBase),
		Key:                  event.Key,
		Variation:            event.Detail.VariationIndex,
		Value:                event.Detail.Value,
		Default:              event.Default,
		Version:              event.FlagVersion,
		RequireFullEvent:     event.RequireFullEvent,
		DebugEventsUntilDate: event.DebugEventsUntil,
		SamplingRatio:        event.SamplingRatio,
		ExcludeFromSummaries: event.ExcludeFromSummaries,
	}
	if event.WithReason {
		data.Reason = event.Detail.Reason
	}
	if event.PrerequisiteOf != "" {
		data.PrereqOf = ldvalue.NewOptionalString(event.PrerequisiteOf)
	}
	return data
}

func identifyData(event *core.IdentifyEvent) ldevents.IdentifyEventData {
	return ldevents.IdentifyEventData{BaseEvent: baseData(&event.EventBase)}
}

// customData leaves out a metric that is no number: JSON has no form for it.
func customData(event *core.CustomEvent) ldevents.CustomEventData {
	return ldevents.CustomEventData{
		BaseEvent:   baseData(&event.EventBase),
		Key:         event.Key,
		Data:        event.Data,
		HasMetric:   event.HasMetric && !math.IsNaN(event.Metric) && !math.IsInf(event.Metric, 0),
		MetricValue: event.Metric,
	}
}

// migrationData copies the maps, because the library reads them later.
func migrationData(event *core.MigrationEvent) ldevents.MigrationOpEventData {
	return ldevents.MigrationOpEventData{
		BaseEvent:        baseData(&event.EventBase),
		Op:               event.Operation,
		FlagKey:          event.FlagKey,
		Version:          event.FlagVersion,
		Evaluation:       event.Detail,
		Default:          event.DefaultStage,
		SamplingRatio:    event.SamplingRatio,
		ConsistencyCheck: event.Consistency,
		Invoked:          maps.Clone(event.Invoked),
		Error:            maps.Clone(event.Failed),
		Latency:          milliseconds(event.Latency),
	}
}

func milliseconds(latencies map[ldmigration.Origin]time.Duration) map[ldmigration.Origin]int {
	if len(latencies) == 0 {
		return nil
	}
	inMilliseconds := make(map[ldmigration.Origin]int, len(latencies))
	for origin, latency := range latencies {
		inMilliseconds[origin] = int(latency.Milliseconds())
	}
	return inMilliseconds
}
