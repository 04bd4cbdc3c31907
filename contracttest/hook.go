package main

import (
	"context"
	"errors"
	"maps"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat"
)

// stage is when a hook is called, as the suite names it.
type stage string

const (
	beforeEvaluation stage = "beforeEvaluation"
	afterEvaluation  stage = "afterEvaluation"
	afterTrack       stage = "afterTrack"
)

type hookConfiguration struct {
	Name        string                           `json:"name"`
	CallbackURI string                           `json:"callbackUri"`
	Data        map[stage]map[string]any         `json:"data"`
	Errors      map[stage]ldvalue.OptionalString `json:"errors"`
}

// hook tells the suite of every call.
type hook struct{ config hookConfiguration }

func newHook(config hookConfiguration) cleat.Hook { return &hook{config} }

type seriesContext struct {
	FlagKey       string                 `json:"flagKey"`
	Context       ldcontext.Context      `json:"context"`
	DefaultValue  ldvalue.Value          `json:"defaultValue"`
	Method        string                 `json:"method"`
	EnvironmentID ldvalue.OptionalString `json:"environmentId,omitzero"`
}

type hookCall struct {
	Stage             stage          `json:"stage"`
	EvaluationContext *seriesContext `json:"evaluationSeriesContext,omitempty"`
	EvaluationData    cleat.HookData `json:"evaluationSeriesData,omitempty"`
	EvaluationDetail  *detail        `json:"evaluationDetail,omitempty"`
	TrackContext      *trackContext  `json:"trackSeriesContext,omitempty"`
}

type detail struct {
	Value          ldvalue.Value             `json:"value"`
	VariationIndex ldvalue.OptionalInt       `json:"variationIndex,omitzero"`
	Reason         ldreason.EvaluationReason `json:"reason"`
}

type trackContext struct {
	Key           string                 `json:"key"`
	Context       ldcontext.Context      `json:"context"`
	Data          ldvalue.Value          `json:"data,omitzero"`
	MetricValue   *float64               `json:"metricValue,omitempty"`
	EnvironmentID ldvalue.OptionalString `json:"environmentId,omitzero"`
}

func (h *hook) Name() string { return h.config.Name }

func (h *hook) BeforeEvaluation(ctx context.Context, evaluation cleat.HookEvaluation) (cleat.HookData, error) {
	if err := h.tell(ctx, &hookCall{Stage: beforeEvaluation, EvaluationContext: describe(evaluation)}); err != nil {
		return nil, err
	}
	return maps.Clone(h.config.Data[beforeEvaluation]), nil
}

func (h *hook) AfterEvaluation(
	ctx context.Context, evaluation cleat.HookEvaluation, data cleat.HookData, result ldreason.EvaluationDetail,
) error {
	return h.tell(ctx, &hookCall{
		Stage: afterEvaluation, EvaluationContext: describe(evaluation), EvaluationData: data,
		EvaluationDetail: &detail{Value: result.Value, VariationIndex: result.VariationIndex, Reason: result.Reason},
	})
}

func (h *hook) AfterTrack(ctx context.Context, event cleat.HookTrack) error {
	call := &trackContext{
		Key: event.Key, Context: event.Context, Data: event.Data, EnvironmentID: event.EnvironmentID,
	}
	if event.HasMetric {
		call.MetricValue = &event.Metric
	}
	return h.tell(ctx, &hookCall{Stage: afterTrack, TrackContext: call})
}

// tell posts a call, or returns the error that the suite wants to happen.
func (h *hook) tell(ctx context.Context, call *hookCall) error {
	if message := h.config.Errors[call.Stage]; message.IsDefined() {
		return errors.New(message.StringValue())
	}
	return callBack(ctx, h.config.CallbackURI, call, nil)
}

func describe(evaluation cleat.HookEvaluation) *seriesContext {
	return &seriesContext{
		FlagKey: evaluation.FlagKey, Context: evaluation.Context, DefaultValue: evaluation.DefaultValue,
		Method: evaluation.Method, EnvironmentID: evaluation.EnvironmentID,
	}
}
