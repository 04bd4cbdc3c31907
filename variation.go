package cleat

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// method is a method of [Client] that evaluates a flag.
type method struct {
	name   string
	wanted ldvalue.ValueType // of the value; null means any type, null included
	detail bool              // the caller wants the reason
}

var (
	boolVariation          = method{"BoolVariation", ldvalue.BoolType, false}
	boolVariationDetail    = method{"BoolVariationDetail", ldvalue.BoolType, true}
	intVariation           = method{"IntVariation", ldvalue.NumberType, false}
	intVariationDetail     = method{"IntVariationDetail", ldvalue.NumberType, true}
	float64Variation       = method{"Float64Variation", ldvalue.NumberType, false}
	float64VariationDetail = method{"Float64VariationDetail", ldvalue.NumberType, true}
	stringVariation        = method{"StringVariation", ldvalue.StringType, false}
	stringVariationDetail  = method{"StringVariationDetail", ldvalue.StringType, true}
	jsonVariation          = method{"JSONVariation", ldvalue.NullType, false}
	jsonVariationDetail    = method{"JSONVariationDetail", ldvalue.NullType, true}
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
		EnvironmentID: c.sink.environmentID(),
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
}

// conclude puts the default value in the place of one that is missing or of another type than the wanted one.
func (m *method) conclude(detail *ldreason.EvaluationDetail, defaultValue ldvalue.Value) {
	switch {
	case detail.IsDefaultValue():
		detail.Value = defaultValue
	case m.wanted != ldvalue.NullType && detail.Value.Type() != m.wanted:
		*detail = ldreason.NewEvaluationDetailForError(ldreason.EvalErrorWrongType, defaultValue)
	}
}
