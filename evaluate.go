package cleat

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
)

// failed returns the detail of an evaluation that has no value.
func failed(kind ldreason.EvalErrorKind) ldreason.EvaluationDetail {
	return ldreason.NewEvaluationDetailForError(kind, ldvalue.Null())
}

// evaluated is the result of an evaluation together with the flag. It is large, so it is filled where the caller has it
// and not passed on by value.
type evaluated struct {
	evaluation.Result
	flag          *ldmodel.FeatureFlag // nil if there is none
	prerequisites *prerequisites       // nil if they were not to be recorded, or there are none
}

// fail makes it a result without a value.
func (r *evaluated) fail(kind ldreason.EvalErrorKind) {
	r.Result = evaluation.Result{Detail: failed(kind)}
}

// evaluateKey evaluates the flag with the key for the context, and records the evaluations of its prerequisites if wanted.
// It never panics.
func (c *Client) evaluateKey(
	ctx context.Context, key string, evalContext *ldcontext.Context, record bool, result *evaluated,
) {
	defer func() {
		if cause := recover(); cause != nil {
			c.logPanic(key, cause)
			result.fail(ldreason.EvalErrorException)
		}
	}()
	if problem := c.problemBefore(ctx, evalContext); problem != "" {
		result.fail(problem)
		return
	}
	flag, problem := c.flag(ctx, key)
	if problem != "" {
		result.fail(problem)
		return
	}
	result.flag = flag
	if evaluateConstant(flag, &result.Result) {
		return
	}
	var recorder evaluation.PrerequisiteFlagEventRecorder
	if record && len(flag.Prerequisites) > 0 {
		result.prerequisites = &prerequisites{}
		recorder = result.prerequisites.record
	}
	e := c.evaluators.borrow(ctx) // an engine that panics is not used again
	err := e.evaluate(flag, evalContext, recorder, &result.Result)
	c.evaluators.giveBack(e)
	if err != nil {
		result.fail(c.problemOf(ctx, key, err))
	}
}

// problemBefore returns why nothing can be evaluated; empty if something can.
func (c *Client) problemBefore(ctx context.Context, evalContext *ldcontext.Context) ldreason.EvalErrorKind {
	switch {
	case ctx == nil:
		c.logger.Error("cleat: a flag was evaluated with a nil context.Context")
		return ldreason.EvalErrorException
	case c.offline || c.closed.Load():
		return ldreason.EvalErrorClientNotReady
	case !c.daemon && !c.Initialized(ctx): // not everything that fills a store for daemons marks it as filled
		return ldreason.EvalErrorClientNotReady
	case evalContext.Err() != nil:
		return ldreason.EvalErrorUserNotSpecified
	}
	return ""
}

// flag returns the flag with the key, or why it cannot be evaluated.
func (c *Client) flag(ctx context.Context, key string) (*ldmodel.FeatureFlag, ldreason.EvalErrorKind) {
	if key == "" {
		return nil, ldreason.EvalErrorFlagNotFound
	}
	item, found, err := c.store.Get(ctx, core.Flags, key)
	if err != nil {
		return nil, c.problemOf(ctx, key, err)
	}
	if !found {
		return nil, ldreason.EvalErrorFlagNotFound
	}
	flag, err := item.Flag()
	if err != nil {
		return nil, c.problemOf(ctx, key, err)
	}
	return flag, ""
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
