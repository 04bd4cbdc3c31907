package cleat

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
)

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
