package cleat

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/migrations"
)

var _ migrations.Client = (*Client)(nil)

var migrationVariation = method{"MigrationVariation", ldvalue.StringType, false}

// MigrationVariation returns the stage of a migration for the context, and a tracker for one operation in that stage,
// to be given to [Client.TrackMigration] in the end. If the flag has no value that is a stage, the stage is the default
// one, also if that is none; the summary of events counts the value that the flag has. Package migrations does all of that by itself.
func (c *Client) MigrationVariation(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultStage ldmigration.Stage,
) (ldmigration.Stage, *migrations.OpTracker) {
	var result evaluated
	defaultValue := ldvalue.String(string(defaultStage))
	evaluate := func() ldreason.EvaluationDetail {
		c.evaluateStage(ctx, key, &evalContext, defaultValue, &result)
		return result.Detail
	}
	if len(c.hooks.all) > 0 {
		c.hooks.evaluate(ctx, c.describe(&migrationVariation, key, &evalContext, defaultValue), evaluate)
	} else {
		evaluate()
	}
	return ldmigration.Stage(result.Detail.Value.StringValue()), newOpTracker(key, evalContext, defaultStage, &result)
}

func (c *Client) evaluateStage(
	ctx context.Context, key string, evalContext *ldcontext.Context, defaultValue ldvalue.Value, result *evaluated,
) {
	record := !c.events.off && !c.closed.Load()
	c.evaluateKey(ctx, key, evalContext, record, result)
	migrationVariation.conclude(&result.Detail, defaultValue)
	if record {
		c.events.evaluation(&migrationVariation, key, evalContext, defaultValue, result)
	}
	if !result.Detail.IsDefaultValue() && !isStage(result.Detail.Value.StringValue()) {
		result.Detail = ldreason.NewEvaluationDetailForError(ldreason.EvalErrorWrongType, defaultValue)
	}
	if result.Detail.IsDefaultValue() {
		c.logDefault(ctx, key, &result.Detail)
	}
}

func isStage(text string) bool {
	_, err := ldmigration.ParseStage(text)
	return err == nil
}

func newOpTracker(
	key string, evalContext ldcontext.Context, defaultStage ldmigration.Stage, result *evaluated,
) *migrations.OpTracker {
	var version, samplingRatio, checkRatio ldvalue.OptionalInt
	if flag := result.flag; flag != nil {
		version, samplingRatio = ldvalue.NewOptionalInt(flag.Version), flag.SamplingRatio
		if flag.Migration != nil {
			checkRatio = flag.Migration.CheckRatio
		}
	}
	return migrations.NewOpTracker(key, version, evalContext, result.Detail, defaultStage, samplingRatio, checkRatio)
}

// TrackMigration records the operation that the tracker has measured. What is missing or contradicts itself is logged,
// and nothing is recorded then.
func (c *Client) TrackMigration(ctx context.Context, tracker *migrations.OpTracker) {
	if tracker == nil {
		c.logger.ErrorContext(ctx, "cleat: TrackMigration was called without a tracker")
		return
	}
	event, err := tracker.Event()
	switch {
	case err != nil:
		c.logger.ErrorContext(ctx, "cleat: an operation of a migration cannot be recorded", "error", err)
	case !c.closed.Load():
		c.events.send(event)
	}
}
