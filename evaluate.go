package cleat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
)

// variation fills result with a detail whose value is of the wanted type: that of the flag, or the default value.
func (c *Client) variation(
	ctx context.Context, m *method, key string, evalContext *ldcontext.Context, defaultValue ldvalue.Value,
	result *evaluated,
) {
	if len(c.hooks.all) > 0 {
		result.Detail = c.variationWithHooks(ctx, m, key, *evalContext, defaultValue)
		return
	}
	c.evaluateAndRecord(ctx, m, key, evalContext, defaultValue, result)
}

// variationWithHooks is variation with what makes its arguments escape to the heap.
func (c *Client) variationWithHooks(
	ctx context.Context, m *method, key string, evalContext ldcontext.Context, defaultValue ldvalue.Value,
) ldreason.EvaluationDetail {
	return c.hooks.evaluate(ctx, c.describe(m, key, &evalContext, defaultValue), func() ldreason.EvaluationDetail {
		var result evaluated
		c.evaluateAndRecord(ctx, m, key, &evalContext, defaultValue, &result)
		return result.Detail
	})
}

// describe tells hooks of an evaluation.
func (c *Client) describe(
	m *method, key string, evalContext *ldcontext.Context, defaultValue ldvalue.Value,
) HookEvaluation {
	return HookEvaluation{
		FlagKey:       key,
		Context:       *evalContext,
		DefaultValue:  defaultValue,
		Method:        m.name,
		EnvironmentID: c.sink.EnvironmentID(),
	}
}

// evaluateAndRecord evaluates a flag and records that it did.
func (c *Client) evaluateAndRecord(
	ctx context.Context, m *method, key string, evalContext *ldcontext.Context, defaultValue ldvalue.Value,
	result *evaluated,
) {
	record := !c.events.off && !c.closed.Load()
	c.evaluateKey(ctx, key, evalContext, record, result)
	m.conclude(&result.Detail, defaultValue)
	if record {
		c.events.evaluation(m, key, evalContext, defaultValue, result)
	}
	if result.Detail.IsDefaultValue() {
		c.logDefault(ctx, key, &result.Detail)
	}
}

// logDefault logs, for who looks for it, that the application asked for a flag that there is not, or for another type.
func (c *Client) logDefault(ctx context.Context, key string, detail *ldreason.EvaluationDetail) {
	kind := detail.Reason.GetErrorKind()
	asked := kind == ldreason.EvalErrorFlagNotFound || kind == ldreason.EvalErrorWrongType
	if asked && c.logger.Enabled(ctx, slog.LevelDebug) {
		c.logger.DebugContext(ctx, "cleat: an evaluation returns the default value", "flag", key, "reason", string(kind))
	}
}

// memoryOnly has ended, so that a store that is given it answers from memory or not at all.
var memoryOnly = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// evaluateKey evaluates the flag with the key for the context, and records the evaluations of its prerequisites if wanted.
// It never panics. What is in memory costs nothing but the evaluation; otherwise all that has to be read has one deadline.
func (c *Client) evaluateKey(
	ctx context.Context, key string, evalContext *ldcontext.Context, record bool, result *evaluated,
) {
	if c.evaluateReading(ctx, memoryOnly, key, evalContext, record, result) {
		return
	}
	limited, cancel := context.WithTimeout(ctx, c.evaluators.patience)
	defer cancel()
	*result = evaluated{}
	c.evaluateReading(ctx, limited, key, evalContext, record, result)
}

// evaluateReading evaluates the flag with what the context named reading gives time to read. It reports false if that has ended
// because it is memoryOnly.
func (c *Client) evaluateReading(
	ctx, reading context.Context, key string, evalContext *ldcontext.Context, record bool, result *evaluated,
) (done bool) {
	defer func() {
		if cause := recover(); cause != nil {
			c.logPanic(key, cause)
			result.fail(ldreason.EvalErrorException)
			done = true
		}
	}()
	problem, err := c.problemBefore(ctx, reading, evalContext)
	if isUnread(reading, err) {
		return false
	}
	if problem != "" {
		result.fail(problem)
		return true
	}
	store := c.evaluators.view()
	flag, problem, err := c.flag(ctx, reading, store, key)
	if isUnread(reading, err) {
		return false
	}
	if problem != "" {
		result.fail(problem)
		return true
	}
	result.flag = flag
	if evaluateConstant(flag, &result.Result) {
		return true
	}
	var recorder evaluation.PrerequisiteFlagEventRecorder
	if record && len(flag.Prerequisites) > 0 {
		result.prerequisites = &prerequisites{}
		recorder = result.prerequisites.record
	}
	e := c.evaluators.borrow(ctx, reading, store) // an engine that panics is not used again
	err = e.evaluate(flag, evalContext, recorder, &result.Result)
	c.evaluators.giveBack(e)
	if isUnread(reading, err) {
		return false
	}
	if err != nil {
		result.fail(c.problemOf(ctx, key, err))
	}
	return true
}

// isUnread reports whether something is not in memory.
func isUnread(reading context.Context, err error) bool {
	return reading == memoryOnly && errors.Is(err, context.Canceled)
}

// problemBefore returns why nothing can be evaluated; empty if something can. The error is one of reading the store.
func (c *Client) problemBefore(
	ctx, reading context.Context, evalContext *ldcontext.Context,
) (problem ldreason.EvalErrorKind, err error) {
	switch {
	case ctx == nil:
		c.logger.Error("cleat: a flag was evaluated with a nil context.Context")
		return ldreason.EvalErrorException, nil
	case c.offline || c.closed.Load():
		return ldreason.EvalErrorClientNotReady, nil
	}
	if !c.daemon { // not everything that fills a store for daemons marks it as filled
		if initialized, err := c.askInitialized(reading); !initialized {
			return ldreason.EvalErrorClientNotReady, err
		}
	}
	if invalid := evalContext.Err(); invalid != nil {
		problem = ldreason.EvalErrorUserNotSpecified
	}
	return problem, nil
}

// flag returns the flag with the key, or why it cannot be evaluated. The error is one of reading the store.
func (c *Client) flag(
	ctx, reading context.Context, store core.ReadOnlyStore, key string,
) (flag *ldmodel.FeatureFlag, problem ldreason.EvalErrorKind, err error) {
	if key == "" {
		return nil, ldreason.EvalErrorFlagNotFound, nil
	}
	item, found, err := store.Get(reading, core.Flags, key)
	switch {
	case isUnread(reading, err):
		return nil, "", err
	case err != nil:
		return nil, c.problemOf(ctx, key, err), err
	case !found:
		return nil, ldreason.EvalErrorFlagNotFound, nil
	}
	if flag, err = item.Flag(); err != nil {
		return nil, c.problemOf(ctx, key, err), err
	}
	return flag, "", nil
}

// problemOf logs at a low level, because it is called at every evaluation; what ails the store is reported by itself.
func (c *Client) problemOf(ctx context.Context, key string, err error) ldreason.EvalErrorKind {
	c.logger.DebugContext(ctx, "cleat: a flag cannot be evaluated", "flag", key, "error", err)
	switch {
	case errors.Is(err, core.ErrCorrupt):
		return ldreason.EvalErrorMalformedFlag
	case errors.Is(err, core.ErrClosed):
		return ldreason.EvalErrorClientNotReady
	default:
		return ldreason.EvalErrorException
	}
}

// evaluateFlag evaluates a flag that has been read, with what its prerequisites contributed. It never panics.
func (c *Client) evaluateFlag(
	e *engine, flag *ldmodel.FeatureFlag, evalContext *ldcontext.Context,
	recorder evaluation.PrerequisiteFlagEventRecorder, result *evaluation.Result,
) {
	defer func() {
		if cause := recover(); cause != nil {
			c.logPanic(flag.Key, cause)
			e.renew()
			*result = evaluation.Result{Detail: failed(ldreason.EvalErrorException)}
		}
	}()
	if evaluateConstant(flag, result) {
		return
	}
	if err := e.evaluate(flag, evalContext, recorder, result); err != nil {
		*result = evaluation.Result{Detail: failed(c.problemOf(e.ctx, flag.Key, err))}
	}
}

func (c *Client) logPanic(key string, cause any) {
	c.logger.Error("cleat: evaluating a flag panicked",
		"flag", key, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
}

// evaluateConstant fills in the result for a flag that has one value for all contexts, because it is off or has nothing to
// tell contexts apart by, as most flags do most of their lives. It reports whether the flag is one; any other is left to
// the engine, which comes to the same result for these and takes many times as long.
func evaluateConstant(flag *ldmodel.FeatureFlag, result *evaluation.Result) bool {
	var variation ldvalue.OptionalInt
	var reason ldreason.EvaluationReason
	switch {
	case !flag.On:
		variation, reason = flag.OffVariation, ldreason.NewEvalReasonOff()
	case flag.TrackEventsFallthrough || // its result is part of an experiment
		len(flag.Prerequisites) > 0 || len(flag.Targets) > 0 || len(flag.ContextTargets) > 0 || len(flag.Rules) > 0:
		return false
	default:
		variation, reason = flag.Fallthrough.Variation, ldreason.NewEvalReasonFallthrough()
	}
	index, defined := variation.Get()
	if !defined || index < 0 || index >= len(flag.Variations) {
		return false
	}
	*result = evaluation.Result{Detail: ldreason.NewEvaluationDetail(flag.Variations[index], index, reason)}
	return true
}
