package cleat

import (
	"context"
	"errors"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
)

// FlagsStateOption says what [Client.AllFlagsState] contains.
type FlagsStateOption func(*flagsStateOptions)

type flagsStateOptions struct {
	clientSideOnly             bool
	withReasons                bool
	detailsOnlyForTrackedFlags bool
}

// ClientSideOnly leaves out flags that are not meant for front ends.
func ClientSideOnly() FlagsStateOption {
	return func(o *flagsStateOptions) { o.clientSideOnly = true }
}

// WithReasons adds the reason for each value. Without it, there are reasons only where an experiment needs them.
func WithReasons() FlagsStateOption {
	return func(o *flagsStateOptions) { o.withReasons = true }
}

// DetailsOnlyForTrackedFlags leaves out the version and reason of flags for which no detailed events are recorded, to
// make the JSON smaller.
func DetailsOnlyForTrackedFlags() FlagsStateOption {
	return func(o *flagsStateOptions) { o.detailsOnlyForTrackedFlags = true }
}

// AllFlagsState evaluates all flags for the context. If nothing can be evaluated (the client is not ready, the context is
// not valid, the store cannot be read) the result is not valid and empty. A flag that cannot be evaluated has a null
// value; one that cannot be decoded is left out.
func (c *Client) AllFlagsState(
	ctx context.Context, evalContext ldcontext.Context, options ...FlagsStateOption,
) FlagsState {
	var o flagsStateOptions
	for _, option := range options {
		if option != nil {
			option(&o)
		}
	}
	if problem, _ := c.problemBefore(ctx, ctx, &evalContext); problem != "" {
		return FlagsState{}
	}
	store := c.evaluators.view()
	items, err := c.allFlags(ctx, store)
	if err != nil {
		c.logger.WarnContext(ctx, "cleat: all flags cannot be evaluated, because the store cannot be read", "error", err)
		return FlagsState{}
	}
	now := ldtime.UnixMillisFromTime(time.Now())
	state := newFlagsState(len(items))
	recorder := newDirectPrerequisites()
	engine := c.evaluators.borrow(ctx, ctx, store)
	defer c.evaluators.giveBack(engine)
	var result evaluation.Result
	for key, item := range items {
		flag, err := item.Flag()
		if err != nil {
			logItem(ctx, c.logger, core.Flags, key, err)
			continue
		}
		if !o.clientSideOnly || flag.ClientSideAvailability.UsingEnvironmentID {
			recorder.of, recorder.keys = flag.Key, nil
			c.evaluateFlag(engine, flag, &evalContext, recorder.record, &result)
			state.flags = append(state.flags, o.evaluated(key, flag, &result, recorder.keys, now))
		}
	}
	return state
}

// directPrerequisites gathers the keys of a flag's own prerequisites, and not those of its prerequisites. One serves for
// many flags, one after the other, because a recorder for each would cost an allocation.
type directPrerequisites struct {
	of     string // the flag's key
	keys   []string
	record evaluation.PrerequisiteFlagEventRecorder
}

func newDirectPrerequisites() *directPrerequisites {
	p := &directPrerequisites{}
	p.record = func(event evaluation.PrerequisiteFlagEvent) {
		if event.TargetFlagKey == p.of {
			p.keys = append(p.keys, event.PrerequisiteFlag.Key)
		}
	}
	return p
}

// allFlags returns the flags that can be decoded.
func (c *Client) allFlags(ctx context.Context, store core.ReadOnlyStore) (items map[string]*core.Item, err error) {
	items, err = store.All(ctx, core.Flags)
	if err != nil && items != nil && errors.Is(err, core.ErrCorrupt) {
		logItem(ctx, c.logger, core.Flags, "", err)
		return items, nil
	}
	return items, err
}

// evaluated makes what the state has of a flag.
func (o *flagsStateOptions) evaluated(
	key string, flag *ldmodel.FeatureFlag, result *evaluation.Result, prerequisites []string, now ldtime.UnixMillisecondTime,
) evaluatedFlag {
	e := evaluatedFlag{
		key: key, flag: flag, variation: result.Detail.VariationIndex.OrElse(-1), prerequisites: prerequisites,
		experiment: result.IsExperiment,
	}
	e.detailsOmitted = o.detailsOnlyForTrackedFlags && !e.trackEvents() && flag.DebugEventsUntilDate <= now
	if (o.withReasons || e.experiment) && !e.detailsOmitted {
		reason := result.Detail.Reason
		e.reason = &reason
	}
	return e
}
