package ldbridge

import (
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldlogtest"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/testsource"
)

// LaunchDarkly's SDK on a cleat store evaluates what a cleat client wrote: flags that refer to each other and to segments, a
// deleted flag, and a big segment.
func TestSDK_ReadsWhatCleatWrote(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, db database) {
		const prefix = "shared"
		fillCrowd(t, db, prefix)
		source := testsource.New()
		flags, segments := flagsAndSegments()
		for _, segment := range segments {
			source.UsePreconfiguredSegment(segment)
		}
		for _, flag := range flags {
			source.UsePreconfiguredFlag(flag)
		}
		writer := newCleatClient(t, db, prefix, cleat.Config{DataSource: source.Factory()})
		source.DeleteFlag(goneFlag)
		require.NoError(t, writer.Close())
		requireItem(t, db, prefix, goneFlag, true)

		reader := newSDKClient(t, db, prefix, ldcomponents.ExternalUpdatesOnly())
		requireFlags(t, evaluateWithSDK(t, reader))
		require.Equal(t, map[string]ldvalue.Value{
			countryFlag: ldvalue.Bool(true), dependsFlag: ldvalue.Bool(true),
			fewFlag: ldvalue.Bool(false), crowdFlag: ldvalue.Bool(false),
		}, reader.AllFlagsState(ana).ToValuesMap())
	})
}

// A cleat client evaluates what LaunchDarkly's SDK wrote to a cleat store, and the flags are there as they are, in no envelope.
func TestSDK_WritesWhatCleatReads(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, db database) {
		const prefix = "shared"
		fillCrowd(t, db, prefix)
		writer := newSDKClient(t, db, prefix, scriptedSource{})
		requireFlags(t, evaluateWithSDK(t, writer))
		require.JSONEq(t, countryFlagJSON, string(requireItem(t, db, prefix, countryFlag, false).JSON()))
		requireItem(t, db, prefix, goneFlag, true)

		reader := newCleatClient(t, db, prefix, cleat.Config{Daemon: true})
		requireFlags(t, func(key string, evalContext ldcontext.Context) (bool, ldreason.EvaluationDetail) {
			return reader.BoolVariationDetail(t.Context(), key, evalContext, false)
		})
		require.NoError(t, reader.Close())
	})
}

const countryFlagJSON = `{
	"key":"for-a-country","on":true,"prerequisites":[],"targets":[],"contextTargets":[],
	"rules":[{"variation":1,"id":"rule","clauses":[{"attribute":"country","op":"in","values":["DE"],"negate":false}],"trackEvents":false}],
	"fallthrough":{"variation":0},"offVariation":0,"variations":[false,true],
	"clientSide":false,"salt":"salt","trackEvents":false,"trackEventsFallthrough":false,"debugEventsUntilDate":null,
	"version":1,"deleted":false
}`

// requireItem returns the flag as it is in the database.
func requireItem(t *testing.T, db database, prefix, key string, deleted bool) *core.Item {
	t.Helper()
	store, err := db.openStore(t.Context(), prefix)
	require.NoError(t, err)
	stored, found, err := store.Get(t.Context(), core.Flags, key)
	require.NoError(t, err)
	require.True(t, found)
	require.NoError(t, store.Close())
	item, err := stored.Parse(core.Flags, key)
	require.NoError(t, err)
	require.Equal(t, deleted, item.Deleted())
	return item
}

func newCleatClient(t *testing.T, db database, prefix string, config cleat.Config) *cleat.Client {
	t.Helper()
	var err error
	config.Store, err = db.openStore(t.Context(), prefix)
	require.NoError(t, err)
	config.BigSegmentStore, err = db.openBigSegments(t.Context(), prefix)
	require.NoError(t, err)
	client, err := cleat.New(t.Context(), config)
	require.NoError(t, err)
	return client
}

// newSDKClient makes a client of LaunchDarkly's SDK that talks to nothing but the database, and fails the test if it logs an
// error.
func newSDKClient(
	t *testing.T, db database, prefix string, source subsystems.ComponentConfigurer[subsystems.DataSource],
) *ld.LDClient {
	t.Helper()
	log := ldlogtest.NewMockLog()
	client, err := ld.MakeCustomClient("sdk-key", ld.Config{
		DataSource:       source,
		DataStore:        ldcomponents.PersistentDataStore(db.dataStore(prefix)),
		BigSegments:      ldcomponents.BigSegments(db.bigSegments(prefix)),
		Events:           ldcomponents.NoEvents(),
		DiagnosticOptOut: true,
		Logging:          ldcomponents.Logging().Loggers(log.Loggers),
	}, 10*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, client.Close())
		require.Empty(t, log.GetOutput(ldlog.Error))
	})
	return client
}

func evaluateWithSDK(t *testing.T, client *ld.LDClient) variation {
	return func(key string, evalContext ldcontext.Context) (bool, ldreason.EvaluationDetail) {
		value, detail, err := client.BoolVariationDetail(key, evalContext, false)
		if key != goneFlag {
			require.NoError(t, err)
		}
		return value, detail
	}
}
