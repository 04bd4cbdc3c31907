package cleat

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

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

// hooks calls the hooks of a client.
type hooks struct {
	all    []Hook
	logger *slog.Logger
}

func newHooks(all []Hook, logger *slog.Logger) hooks {
	return hooks{all: slices.Clone(all), logger: logger}
}

// evaluate calls the hooks around an evaluation.
func (h hooks) evaluate(
	ctx context.Context, evaluation HookEvaluation, evaluate func() ldreason.EvaluationDetail,
) ldreason.EvaluationDetail {
	data := make([]HookData, len(h.all))
	for i, hook := range h.all {
		h.call(hook, "before an evaluation", func() (err error) {
			kept, err := hook.BeforeEvaluation(ctx, evaluation)
			if err == nil {
				data[i] = kept
			}
			return err
		})
	}
	detail := evaluate()
	for i, hook := range slices.Backward(h.all) {
		h.call(hook, "after an evaluation", func() error { return hook.AfterEvaluation(ctx, evaluation, data[i], detail) })
	}
	return detail
}

// track calls the hooks after a custom event.
func (h hooks) track(ctx context.Context, event HookTrack) {
	for _, hook := range h.all {
		h.call(hook, "after an event", func() error { return hook.AfterTrack(ctx, event) })
	}
}

// call calls one method of one hook, and keeps its troubles from everybody else.
func (h hooks) call(hook Hook, when string, method func() error) {
	defer func() {
		if cause := recover(); cause != nil {
			h.logger.Error("cleat: a hook panicked", "hook", nameOf(hook), "when", when,
				"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	if err := method(); err != nil {
		h.logger.Error("cleat: a hook failed", "hook", nameOf(hook), "when", when, "error", err)
	}
}

// nameOf returns the hook's name, also if asking for it panics.
func nameOf(hook Hook) (name string) {
	defer func() {
		if recover() != nil {
			name = fmt.Sprintf("%T", hook)
		}
	}()
	return hook.Name()
}
