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
	detail := c.variation(ctx, boolVariation, key, &evalContext, ldvalue.Bool(defaultValue))
	return detail.Value.BoolValue()
}

// BoolVariationDetail is BoolVariation with the reason for the value.
func (c *Client) BoolVariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue bool,
) (bool, ldreason.EvaluationDetail) {
	detail := c.variation(ctx, boolVariationDetail, key, &evalContext, ldvalue.Bool(defaultValue))
	return detail.Value.BoolValue(), detail
}

// IntVariation returns the value of a numeric flag for the context, without its fraction, or the default value.
func (c *Client) IntVariation(ctx context.Context, key string, evalContext ldcontext.Context, defaultValue int) int {
	detail := c.variation(ctx, intVariation, key, &evalContext, ldvalue.Int(defaultValue))
	return detail.Value.IntValue()
}

// IntVariationDetail is IntVariation with the reason for the value.
func (c *Client) IntVariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue int,
) (int, ldreason.EvaluationDetail) {
	detail := c.variation(ctx, intVariationDetail, key, &evalContext, ldvalue.Int(defaultValue))
	return detail.Value.IntValue(), detail
}

// Float64Variation returns the value of a numeric flag for the context, or the default value.
func (c *Client) Float64Variation(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue float64,
) float64 {
	detail := c.variation(ctx, float64Variation, key, &evalContext, ldvalue.Float64(defaultValue))
	return detail.Value.Float64Value()
}

// Float64VariationDetail is Float64Variation with the reason for the value.
func (c *Client) Float64VariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue float64,
) (float64, ldreason.EvaluationDetail) {
	detail := c.variation(ctx, float64VariationDetail, key, &evalContext, ldvalue.Float64(defaultValue))
	return detail.Value.Float64Value(), detail
}

// StringVariation returns the value of a string flag for the context, or the default value.
func (c *Client) StringVariation(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue string,
) string {
	detail := c.variation(ctx, stringVariation, key, &evalContext, ldvalue.String(defaultValue))
	return detail.Value.StringValue()
}

// StringVariationDetail is StringVariation with the reason for the value.
func (c *Client) StringVariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue string,
) (string, ldreason.EvaluationDetail) {
	detail := c.variation(ctx, stringVariationDetail, key, &evalContext, ldvalue.String(defaultValue))
	return detail.Value.StringValue(), detail
}

// JSONVariation returns the value of a flag of any type for the context, or the default value.
func (c *Client) JSONVariation(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue ldvalue.Value,
) ldvalue.Value {
	return c.variation(ctx, jsonVariation, key, &evalContext, defaultValue).Value
}

// JSONVariationDetail is JSONVariation with the reason for the value.
func (c *Client) JSONVariationDetail(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultValue ldvalue.Value,
) (ldvalue.Value, ldreason.EvaluationDetail) {
	detail := c.variation(ctx, jsonVariationDetail, key, &evalContext, defaultValue)
	return detail.Value, detail
}
