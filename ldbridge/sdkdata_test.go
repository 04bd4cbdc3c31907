package ldbridge

import (
	"context"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// The flags that one SDK writes and the other one reads. There is one more, goneFlag, which is deleted.
const (
	countryFlag = "for-a-country"
	fewFlag     = "for-few"
	crowdFlag   = "for-a-crowd"
	dependsFlag = "depends"
	goneFlag    = "gone"

	fewSegment   = "few"
	crowdSegment = "crowd"
	crowdRef     = crowdSegment + ".g3"
)

var (
	ana = ldcontext.NewBuilder("ana").SetString("country", "DE").Build()
	bob = ldcontext.New("bob")
)

// flagsAndSegments have version 1 each.
func flagsAndSegments() ([]ldmodel.FeatureFlag, []ldmodel.Segment) {
	flag := func(key string) *ldbuilders.FlagBuilder {
		return ldbuilders.NewFlagBuilder(key).Version(1).On(true).Salt("salt").
			Variations(ldvalue.Bool(false), ldvalue.Bool(true)).OffVariation(0).FallthroughVariation(0)
	}
	matching := func(clause ldmodel.Clause) *ldbuilders.RuleBuilder {
		return ldbuilders.NewRuleBuilder().ID("rule").Clauses(clause).Variation(1)
	}
	flags := []ldmodel.FeatureFlag{
		flag(dependsFlag).AddPrerequisite(countryFlag, 1).FallthroughVariation(1).Build(),
		flag(countryFlag).AddRule(matching(ldbuilders.Clause("country", ldmodel.OperatorIn, ldvalue.String("DE")))).Build(),
		flag(fewFlag).AddRule(matching(ldbuilders.SegmentMatchClause(fewSegment))).Build(),
		flag(crowdFlag).AddRule(matching(ldbuilders.SegmentMatchClause(crowdSegment))).Build(),
		flag(goneFlag).Build(),
	}
	return flags, []ldmodel.Segment{
		ldbuilders.NewSegmentBuilder(fewSegment).Version(1).Included("bob").Salt("salt").Build(),
		ldbuilders.NewSegmentBuilder(crowdSegment).Version(1).Unbounded(true).Generation(3).Salt("salt").Build(),
	}
}

// fillCrowd makes bob a member of the big segment, and marks the store as up to date.
func fillCrowd(t *testing.T, db database, prefix string) {
	t.Helper()
	require.NoError(t, db.fillBigSegments(prefix, func(ctx context.Context, w core.BigSegmentWriter) error {
		if err := setMembership(ctx, w, core.BigSegmentContextHash("bob"), []string{crowdRef}, nil); err != nil {
			return err
		}
		return w.SetLastUpToDate(ctx, ldtime.UnixMillisFromTime(time.Now()))
	}))
}

// variation evaluates a flag, by whichever SDK.
type variation func(key string, evalContext ldcontext.Context) (bool, ldreason.EvaluationDetail)

// requireFlags fails the test unless every flag has the right value and reason for ana and bob.
func requireFlags(t *testing.T, evaluate variation) {
	t.Helper()
	yes := func(reason string) result { return result{true, reason} }
	no := result{false, "FALLTHROUGH"}
	const matched = "RULE_MATCH(0,rule)"
	for key, want := range map[string][2]result{
		countryFlag: {yes(matched), no},
		dependsFlag: {yes("FALLTHROUGH"), {false, "PREREQUISITE_FAILED(" + countryFlag + ")"}},
		fewFlag:     {no, yes(matched)},
		crowdFlag:   {no, yes(matched)},
		goneFlag:    {{false, "ERROR(FLAG_NOT_FOUND)"}, {false, "ERROR(FLAG_NOT_FOUND)"}},
	} {
		for i, evalContext := range []ldcontext.Context{ana, bob} {
			value, detail := evaluate(key, evalContext)
			got := result{value, detail.Reason.String()}
			require.Equal(t, want[i], got, "%s for %s", key, evalContext.Key())
			if key == crowdFlag {
				require.Equal(t, ldreason.BigSegmentsHealthy, detail.Reason.GetBigSegmentsStatus())
			}
		}
	}
}

// result is what an evaluation said.
type result struct {
	value  bool
	reason string
}

// scriptedSource is a data source for LaunchDarkly's SDK that delivers the flags and deletes goneFlag.
type scriptedSource struct {
	sink subsystems.DataSourceUpdateSink
}

// Build implements [subsystems.ComponentConfigurer].
func (scriptedSource) Build(client subsystems.ClientContext) (subsystems.DataSource, error) {
	return scriptedSource{client.GetDataSourceUpdateSink()}, nil
}

// Start implements [subsystems.DataSource].
func (s scriptedSource) Start(ready chan<- struct{}) {
	defer close(ready)
	flags, segments := flagsAndSegments()
	data := []ldstoretypes.Collection{{Kind: ldstoreimpl.Features()}, {Kind: ldstoreimpl.Segments()}}
	for _, flag := range flags {
		data[0].Items = append(data[0].Items, keyed(flag.Key, &flag))
	}
	for _, segment := range segments {
		data[1].Items = append(data[1].Items, keyed(segment.Key, &segment))
	}
	s.sink.Init(data)
	s.sink.Upsert(ldstoreimpl.Features(), goneFlag, ldstoretypes.ItemDescriptor{Version: 2})
}

func keyed(key string, item any) ldstoretypes.KeyedItemDescriptor {
	return ldstoretypes.KeyedItemDescriptor{Key: key, Item: ldstoretypes.ItemDescriptor{Version: 1, Item: item}}
}

// IsInitialized implements [subsystems.DataSource].
func (scriptedSource) IsInitialized() bool { return true }

// Close implements [subsystems.DataSource].
func (scriptedSource) Close() error { return nil }
