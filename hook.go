package cleat

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// Hook is called when flags are evaluated and custom events recorded. Embed [NoHook] and implement what is of interest.
//
// Methods are called on the goroutine of the caller, who waits for them, and by any number of goroutines at once. An
// error or a panic is logged and concerns nothing but the hook.
type Hook interface {
	// Name names the hook in logs.
	Name() string

	// BeforeEvaluation is called before a flag is evaluated. What it returns is passed to AfterEvaluation, unless it
	// returns an error.
	BeforeEvaluation(ctx context.Context, evaluation HookEvaluation) (HookData, error)

	// AfterEvaluation is called after a flag was evaluated, with what BeforeEvaluation of this hook returned, and the
	// value that the caller gets.
	AfterEvaluation(
		ctx context.Context, evaluation HookEvaluation, data HookData, detail ldreason.EvaluationDetail,
	) error

	// AfterTrack is called after a custom event was recorded.
	AfterTrack(ctx context.Context, event HookTrack) error
}

// HookData is what a hook keeps from before an evaluation until after it. It is passed on as it is; nil is empty.
type HookData map[string]any

// HookEvaluation describes an evaluation to a [Hook].
type HookEvaluation struct {
	// FlagKey is the key of the flag.
	FlagKey string
	// Context is what the flag is evaluated for.
	Context ldcontext.Context
	// DefaultValue is what the caller gets if the flag has no value.
	DefaultValue ldvalue.Value
	// Method is the name of the method of [Client] that was called, such as "BoolVariationDetail".
	Method string
	// EnvironmentID identifies the environment of the flags; none if the flag service has not told.
	EnvironmentID ldvalue.OptionalString
}

// HookTrack describes a custom event to a [Hook].
type HookTrack struct {
	// Key is the key of the event.
	Key string
	// Context is what the event happened to.
	Context ldcontext.Context
	// Data is the event's data; null if it has none.
	Data ldvalue.Value
	// Metric is the event's number if HasMetric is true.
	Metric    float64
	HasMetric bool
	// EnvironmentID identifies the environment of the flags; none if the flag service has not told.
	EnvironmentID ldvalue.OptionalString
}

// NoHook is a [Hook] that does nothing. It is made to be embedded.
type NoHook struct{}

var _ Hook = NoHook{}

// Name implements [Hook].
func (NoHook) Name() string { return "unnamed" }

// BeforeEvaluation implements [Hook].
func (NoHook) BeforeEvaluation(context.Context, HookEvaluation) (HookData, error) { return nil, nil }

// AfterEvaluation implements [Hook].
func (NoHook) AfterEvaluation(context.Context, HookEvaluation, HookData, ldreason.EvaluationDetail) error {
	return nil
}

// AfterTrack implements [Hook].
func (NoHook) AfterTrack(context.Context, HookTrack) error { return nil }
