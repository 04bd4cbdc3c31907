package cleat

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// BoolVariation returns the value of a boolean flag for the context, or the default value if there is none; see the
// package documentation for when that is so.
func (c *Client) BoolVariation(ctx context.Context, key string, evalContext ldcontext.Context, defaultValue bool) bool {
	var result evaluated
	c.variation(ctx, &boolVariation, key, &evalContext, ldvalue.Bool(defaultValue), &result)
	return result.Detail.Value.BoolValue()
}

// BoolVariationDetail is BoolVariation with the reason for the value.
func (c *Client) BoolVariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue bool,
) (bool, ldreason.EvaluationDetail) {
	var result evaluated
	c.variation(ctx, &boolVariationDetail, key, &evalContext, ldvalue.Bool(defaultValue), &result)
	return result.Detail.Value.BoolValue(), result.Detail
}

// IntVariation returns the value of a numeric flag for the context, without its fraction, or the default value.
func (c *Client) IntVariation(ctx context.Context, key string, evalContext ldcontext.Context, defaultValue int) int {
	var result evaluated
	c.variation(ctx, &intVariation, key, &evalContext, ldvalue.Int(defaultValue), &result)
	return result.Detail.Value.IntValue()
}

// IntVariationDetail is IntVariation with the reason for the value.
func (c *Client) IntVariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue int,
) (int, ldreason.EvaluationDetail) {
	var result evaluated
	c.variation(ctx, &intVariationDetail, key, &evalContext, ldvalue.Int(defaultValue), &result)
	return result.Detail.Value.IntValue(), result.Detail
}

// Float64Variation returns the value of a numeric flag for the context, or the default value.
func (c *Client) Float64Variation(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue float64,
) float64 {
	var result evaluated
	c.variation(ctx, &float64Variation, key, &evalContext, ldvalue.Float64(defaultValue), &result)
	return result.Detail.Value.Float64Value()
}

// Float64VariationDetail is Float64Variation with the reason for the value.
func (c *Client) Float64VariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue float64,
) (float64, ldreason.EvaluationDetail) {
	var result evaluated
	c.variation(ctx, &float64VariationDetail, key, &evalContext, ldvalue.Float64(defaultValue), &result)
	return result.Detail.Value.Float64Value(), result.Detail
}

// StringVariation returns the value of a string flag for the context, or the default value.
func (c *Client) StringVariation(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue string,
) string {
	var result evaluated
	c.variation(ctx, &stringVariation, key, &evalContext, ldvalue.String(defaultValue), &result)
	return result.Detail.Value.StringValue()
}

// StringVariationDetail is StringVariation with the reason for the value.
func (c *Client) StringVariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue string,
) (string, ldreason.EvaluationDetail) {
	var result evaluated
	c.variation(ctx, &stringVariationDetail, key, &evalContext, ldvalue.String(defaultValue), &result)
	return result.Detail.Value.StringValue(), result.Detail
}

// JSONVariation returns the value of a flag of any type for the context, or the default value.
func (c *Client) JSONVariation(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue ldvalue.Value,
) ldvalue.Value {
	var result evaluated
	c.variation(ctx, &jsonVariation, key, &evalContext, defaultValue, &result)
	return result.Detail.Value
}

// JSONVariationDetail is JSONVariation with the reason for the value.
func (c *Client) JSONVariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue ldvalue.Value,
) (ldvalue.Value, ldreason.EvaluationDetail) {
	var result evaluated
	c.variation(ctx, &jsonVariationDetail, key, &evalContext, defaultValue, &result)
	return result.Detail.Value, result.Detail
}
