package core

import (
	"context"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// EventProcessor takes analytics events and delivers them.
type EventProcessor interface {
	// Send records an event. It returns at once and never fails: an event that there is no room for is dropped.
	Send(event Event)

	// Flush asks for what is buffered to be delivered as soon as possible, and returns at once.
	Flush()

	// Close delivers what is buffered and then ends the processor. It waits until that is done or ctx ends, and returns
	// ctx.Err() in the latter case, with the processor ended all the same. It is idempotent; events sent afterwards are
	// ignored.
	Close(ctx context.Context) error
}

// EventProcessorFactory makes an event processor, which works from then on until it is closed.
type EventProcessorFactory func(settings ClientSettings) (EventProcessor, error)

// StreamInitRecorder is an optional ability of an [EventProcessor]: it counts attempts to open a stream of flag data in
// its diagnostic events. Without it, they are not counted.
type StreamInitRecorder interface {
	// RecordStreamInit records an attempt that began at the given time, and either failed or delivered its first byte
	// after the given duration. It returns at once.
	RecordStreamInit(began time.Time, took time.Duration, failed bool)
}

// Event is one of [EvaluationEvent], [IdentifyEvent], [CustomEvent] and [MigrationEvent].
type Event interface {
	isEvent()
}

// EventBase is what all events have.
type EventBase struct {
	// Time is when it happened, in Unix milliseconds.
	Time ldtime.UnixMillisecondTime
	// Context is the context that it happened to.
	Context ldcontext.Context
}

func (EventBase) isEvent() {}

// EvaluationEvent says that a flag was evaluated.
type EvaluationEvent struct {
	EventBase
	Key     string
	Detail  ldreason.EvaluationDetail
	Default ldvalue.Value
	// FlagVersion is the version of the flag; none if the flag is unknown.
	FlagVersion ldvalue.OptionalInt
	// WithReason is true if the reason is to be delivered.
	WithReason bool
	// PrerequisiteOf is the key of the flag that this one was evaluated for; empty if it was evaluated for itself.
	PrerequisiteOf string
	// RequireFullEvent is true if the event is delivered by itself, not only as part of a summary.
	RequireFullEvent bool
	// DebugEventsUntil is until when a debug event is delivered as well; 0 means never.
	DebugEventsUntil ldtime.UnixMillisecondTime
	// SamplingRatio is n if one in n events is delivered; none means all, and 0 or less means none.
	SamplingRatio ldvalue.OptionalInt
	// ExcludeFromSummaries is true if the evaluation does not count in summaries.
	ExcludeFromSummaries bool
}

// IdentifyEvent says that a context exists.
type IdentifyEvent struct {
	EventBase
}

// CustomEvent says that something happened that the application wants recorded.
type CustomEvent struct {
	EventBase
	Key  string
	Data ldvalue.Value
	// Metric is the event's number if HasMetric is true.
	Metric    float64
	HasMetric bool
}

// MigrationEvent says that one operation of a migration was carried out, and what was measured.
type MigrationEvent struct {
	EventBase
	// FlagKey is the key of the migration's flag.
	FlagKey string
	// FlagVersion is the version of the flag; none if the flag is unknown.
	FlagVersion ldvalue.OptionalInt
	// Operation is whether something was read or written.
	Operation ldmigration.Operation
	// Detail is the result of the evaluation that gave the stage.
	Detail ldreason.EvaluationDetail
	// DefaultStage is the stage that a flag that cannot be evaluated counts as.
	DefaultStage ldmigration.Stage
	// SamplingRatio is that of the flag, in the way of [EvaluationEvent].SamplingRatio.
	SamplingRatio ldvalue.OptionalInt
	// Consistency says whether both origins returned the same; nil if they were not compared.
	Consistency *ldmigration.ConsistencyCheck
	// Invoked says which origins were called. It is never empty.
	Invoked map[ldmigration.Origin]struct{}
	// Failed says which of them returned errors.
	Failed map[ldmigration.Origin]struct{}
	// Latency is how long the calls took.
	Latency map[ldmigration.Origin]time.Duration
}
