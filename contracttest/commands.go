package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat"
)

// commandRequest is what the suite asks of a client. Only the parameters of the command are there.
type commandRequest struct {
	Command            string              `json:"command"`
	Evaluate           *evaluate           `json:"evaluate"`
	EvaluateAll        *evaluateAll        `json:"evaluateAll"`
	EvaluateBatch      *evaluateBatch      `json:"evaluateBatch"`
	IdentifyEvent      *subject            `json:"identifyEvent"`
	CustomEvent        *customEvent        `json:"customEvent"`
	SecureModeHash     *subject            `json:"secureModeHash"`
	ContextBuild       *contextBuild       `json:"contextBuild"`
	ContextConvert     *contextConvert     `json:"contextConvert"`
	ContextComparison  *contextComparison  `json:"contextComparison"`
	MigrationVariation *migrationVariation `json:"migrationVariation"`
	MigrationOperation *migrationOperation `json:"migrationOperation"`

	RegisterFlagChangeListener      *registration `json:"registerFlagChangeListener"`
	RegisterFlagValueChangeListener *registration `json:"registerFlagValueChangeListener"`
	UnregisterListener              *registration `json:"unregisterListener"`
}

// execute returns what is to be answered; nil means nothing.
func (c *client) execute(ctx context.Context, request *commandRequest) (any, error) {
	switch {
	case request.Command == "flushEvents":
		c.Flush()
		return nil, nil
	case request.Command == "getBigSegmentStoreStatus":
		status := c.BigSegmentStoreStatus().Status()
		return map[string]bool{"available": status.Available, "stale": status.Stale}, nil
	case request.Evaluate != nil:
		return request.Evaluate.run(ctx, c)
	case request.EvaluateAll != nil:
		return request.EvaluateAll.run(ctx, c)
	case request.EvaluateBatch != nil:
		return request.EvaluateBatch.run(ctx, c)
	case request.IdentifyEvent != nil:
		return request.IdentifyEvent.identify(ctx, c)
	case request.CustomEvent != nil:
		return request.CustomEvent.run(ctx, c)
	case request.SecureModeHash != nil:
		return request.SecureModeHash.secureModeHash(c)
	case request.ContextBuild != nil:
		return request.ContextBuild.run(), nil
	case request.ContextConvert != nil:
		return request.ContextConvert.run(), nil
	case request.ContextComparison != nil:
		return request.ContextComparison.run()
	case request.MigrationVariation != nil:
		return request.MigrationVariation.run(ctx, c), nil
	case request.MigrationOperation != nil:
		return request.MigrationOperation.run(ctx, c)
	case request.RegisterFlagChangeListener != nil:
		request.RegisterFlagChangeListener.changes(c)
		return nil, nil
	case request.RegisterFlagValueChangeListener != nil:
		return nil, request.RegisterFlagValueChangeListener.values(c)
	case request.UnregisterListener != nil:
		c.listeners.unregister(request.UnregisterListener.ListenerID)
		return nil, nil
	}
	return nil, fmt.Errorf("%w: unknown command %q", errBadRequest, request.Command)
}

// subject is a context, or a user of the old style, of which contexts can be made.
type subject struct {
	Context json.RawMessage `json:"context"`
	User    json.RawMessage `json:"user"`
}

func (s *subject) parse() (parsed ldcontext.Context, err error) {
	data := s.Context
	if len(data) == 0 || string(data) == "null" {
		data = s.User
	}
	if err := json.Unmarshal(data, &parsed); err != nil {
		return parsed, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return parsed, nil
}

func (s *subject) identify(ctx context.Context, c *client) (any, error) {
	subject, err := s.parse()
	if err != nil {
		return nil, err
	}
	return nil, c.Identify(ctx, subject)
}

func (s *subject) secureModeHash(c *client) (any, error) {
	subject, err := s.parse()
	return map[string]string{"result": c.SecureModeHash(subject)}, err
}

type evaluate struct {
	subject
	FlagKey      string        `json:"flagKey"`
	ValueType    string        `json:"valueType"`
	DefaultValue ldvalue.Value `json:"defaultValue"`
	Detail       bool          `json:"detail"`
}

func (e *evaluate) run(ctx context.Context, c *client) (any, error) {
	subject, err := e.parse()
	if err != nil {
		return nil, err
	}
	if e.Detail {
		result := e.detail(ctx, c, subject)
		return detail{Value: result.Value, VariationIndex: result.VariationIndex, Reason: result.Reason}, nil
	}
	return map[string]ldvalue.Value{"value": e.value(ctx, c, subject)}, nil
}

func (e *evaluate) value(ctx context.Context, c *client, subject ldcontext.Context) ldvalue.Value {
	return e.prepare(ctx, c, subject)()
}

// prepare returns the evaluation, for which everything has been converted.
func (e *evaluate) prepare(ctx context.Context, c *client, subject ldcontext.Context) func() ldvalue.Value {
	switch e.ValueType {
	case "bool":
		or := e.DefaultValue.BoolValue()
		return func() ldvalue.Value { return ldvalue.Bool(c.BoolVariation(ctx, e.FlagKey, subject, or)) }
	case "int":
		or := e.DefaultValue.IntValue()
		return func() ldvalue.Value { return ldvalue.Int(c.IntVariation(ctx, e.FlagKey, subject, or)) }
	case "double":
		or := e.DefaultValue.Float64Value()
		return func() ldvalue.Value { return ldvalue.Float64(c.Float64Variation(ctx, e.FlagKey, subject, or)) }
	case "string":
		or := e.DefaultValue.StringValue()
		return func() ldvalue.Value { return ldvalue.String(c.StringVariation(ctx, e.FlagKey, subject, or)) }
	default:
		return func() ldvalue.Value { return c.JSONVariation(ctx, e.FlagKey, subject, e.DefaultValue) }
	}
}

func (e *evaluate) detail(ctx context.Context, c *client, subject ldcontext.Context) (d ldreason.EvaluationDetail) {
	var value ldvalue.Value
	switch e.ValueType {
	case "bool":
		v, detail := c.BoolVariationDetail(ctx, e.FlagKey, subject, e.DefaultValue.BoolValue())
		value, d = ldvalue.Bool(v), detail
	case "int":
		v, detail := c.IntVariationDetail(ctx, e.FlagKey, subject, e.DefaultValue.IntValue())
		value, d = ldvalue.Int(v), detail
	case "double":
		v, detail := c.Float64VariationDetail(ctx, e.FlagKey, subject, e.DefaultValue.Float64Value())
		value, d = ldvalue.Float64(v), detail
	case "string":
		v, detail := c.StringVariationDetail(ctx, e.FlagKey, subject, e.DefaultValue.StringValue())
		value, d = ldvalue.String(v), detail
	default:
		value, d = c.JSONVariationDetail(ctx, e.FlagKey, subject, e.DefaultValue)
	}
	d.Value = value
	return d
}

type evaluateAll struct {
	subject
	WithReasons                bool `json:"withReasons"`
	ClientSideOnly             bool `json:"clientSideOnly"`
	DetailsOnlyForTrackedFlags bool `json:"detailsOnlyForTrackedFlags"`
}

func (e *evaluateAll) run(ctx context.Context, c *client) (any, error) {
	subject, err := e.parse()
	if err != nil {
		return nil, err
	}
	var options []cleat.FlagsStateOption
	if e.WithReasons {
		options = append(options, cleat.WithReasons())
	}
	if e.ClientSideOnly {
		options = append(options, cleat.ClientSideOnly())
	}
	if e.DetailsOnlyForTrackedFlags {
		options = append(options, cleat.DetailsOnlyForTrackedFlags())
	}
	return map[string]cleat.FlagsState{"state": c.AllFlagsState(ctx, subject, options...)}, nil
}

type customEvent struct {
	subject
	EventKey     string        `json:"eventKey"`
	Data         ldvalue.Value `json:"data"`
	OmitNullData bool          `json:"omitNullData"`
	MetricValue  *float64      `json:"metricValue"`
}

func (e *customEvent) run(ctx context.Context, c *client) (any, error) {
	subject, err := e.parse()
	switch {
	case err != nil:
		return nil, err
	case e.MetricValue != nil:
		return nil, c.TrackMetric(ctx, e.EventKey, subject, *e.MetricValue, e.Data)
	case e.Data.IsNull() && e.OmitNullData:
		return nil, c.Track(ctx, e.EventKey, subject)
	default:
		return nil, c.TrackData(ctx, e.EventKey, subject, e.Data)
	}
}
