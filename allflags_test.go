package cleat

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

func allFlagsClient(t *testing.T) *Client {
	t.Helper()
	client, _ := newTestClient(t, flagtest.Items(t,
		"base", `{"key":"base","version":1,"on":true,"fallthrough":{"variation":0},"variations":["v"]}`,
		"client", `{"key":"client","version":2,"on":true,"fallthrough":{"variation":1},"variations":[0,{"x":true}],
			"clientSideAvailability":{"usingEnvironmentId":true,"usingMobileKey":false},
			"prerequisites":[{"key":"middle","variation":0}]}`,
		"middle", `{"key":"middle","version":3,"on":true,"fallthrough":{"variation":0},"variations":["m"],
			"prerequisites":[{"key":"base","variation":0}]}`,
		"novalue", `{"key":"novalue","version":4,"on":false,"variations":[1]}`,
		"tracked", `{"key":"tracked","version":5,"on":false,"offVariation":0,"variations":[1],"trackEvents":true}`,
		"debugged", `{"key":"debugged","version":6,"on":false,"offVariation":0,"variations":[1],"debugEventsUntilDate":32503680000000}`,
		"debuggedonce", `{"key":"debuggedonce","version":7,"on":false,"offVariation":0,"variations":[1],"debugEventsUntilDate":1000}`,
		"experiment", `{"key":"experiment","version":8,"on":true,"fallthrough":{"variation":0},"variations":["e"],"trackEventsFallthrough":true}`,
		"undecodable", `{"key":"undecodable","version":9,"on":1}`,
		"malformed", `{"key":"malformed","version":10,"on":true,"fallthrough":{"variation":9},"variations":[1]}`,
		"deleted", `{"key":"deleted","version":11,"deleted":true}`,
	))
	return client
}

func TestClient_AllFlagsState_JSON(t *testing.T) {
	client := allFlagsClient(t)
	const values = `"base":"v","client":{"x":true},"middle":"m","novalue":null,"tracked":1,"debugged":1,"debuggedonce":1,` +
		`"experiment":"e","malformed":null,"$valid":true`
	for _, tc := range []struct {
		name    string
		options []FlagsStateOption
		want    string
	}{
		{"plain", nil, `{` + values + `,"$flagsState":{
			"base":{"variation":0,"version":1},
			"client":{"variation":1,"version":2,"prerequisites":["middle"]},
			"middle":{"variation":0,"version":3,"prerequisites":["base"]},
			"novalue":{"version":4},
			"tracked":{"variation":0,"version":5,"trackEvents":true},
			"debugged":{"variation":0,"version":6,"debugEventsUntilDate":32503680000000},
			"debuggedonce":{"variation":0,"version":7,"debugEventsUntilDate":1000},
			"experiment":{"variation":0,"version":8,"reason":{"kind":"FALLTHROUGH"},"trackEvents":true,"trackReason":true},
			"malformed":{"version":10}}}`},
		{"with reasons", []FlagsStateOption{WithReasons()}, `{` + values + `,"$flagsState":{
			"base":{"variation":0,"version":1,"reason":{"kind":"FALLTHROUGH"}},
			"client":{"variation":1,"version":2,"reason":{"kind":"FALLTHROUGH"},"prerequisites":["middle"]},
			"middle":{"variation":0,"version":3,"reason":{"kind":"FALLTHROUGH"},"prerequisites":["base"]},
			"novalue":{"version":4,"reason":{"kind":"OFF"}},
			"tracked":{"variation":0,"version":5,"reason":{"kind":"OFF"},"trackEvents":true},
			"debugged":{"variation":0,"version":6,"reason":{"kind":"OFF"},"debugEventsUntilDate":32503680000000},
			"debuggedonce":{"variation":0,"version":7,"reason":{"kind":"OFF"},"debugEventsUntilDate":1000},
			"experiment":{"variation":0,"version":8,"reason":{"kind":"FALLTHROUGH"},"trackEvents":true,"trackReason":true},
			"malformed":{"version":10,"reason":{"kind":"ERROR","errorKind":"MALFORMED_FLAG"}}}}`},
		{"details for tracked flags", []FlagsStateOption{WithReasons(), DetailsOnlyForTrackedFlags()}, `{` + values + `,"$flagsState":{
			"base":{"variation":0},
			"client":{"variation":1,"prerequisites":["middle"]},
			"middle":{"variation":0,"prerequisites":["base"]},
			"novalue":{},
			"tracked":{"variation":0,"version":5,"reason":{"kind":"OFF"},"trackEvents":true},
			"debugged":{"variation":0,"version":6,"reason":{"kind":"OFF"},"debugEventsUntilDate":32503680000000},
			"debuggedonce":{"variation":0,"debugEventsUntilDate":1000},
			"experiment":{"variation":0,"version":8,"reason":{"kind":"FALLTHROUGH"},"trackEvents":true,"trackReason":true},
			"malformed":{}}}`},
		{"client side", []FlagsStateOption{ClientSideOnly()}, `{"client":{"x":true},"$valid":true,"$flagsState":{
			"client":{"variation":1,"version":2,"prerequisites":["middle"]}}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := json.Marshal(client.AllFlagsState(t.Context(), user, tc.options...))
			require.NoError(t, err)
			require.JSONEq(t, tc.want, string(got))
		})
	}
}

func TestClient_AllFlagsState_Accessors(t *testing.T) {
	state := allFlagsClient(t).AllFlagsState(t.Context(), user)
	require.True(t, state.Valid())
	require.Equal(t, ldvalue.String("v"), state.Value("base"))
	require.Equal(t, ldvalue.Null(), state.Value("unknown"))
	flag, found := state.Flag("base")
	require.True(t, found)
	require.Equal(t, FlagState{Value: ldvalue.String("v"), Variation: ldvalue.NewOptionalInt(0), Version: 1}, flag)
	experiment, _ := state.Flag("experiment")
	require.Equal(t, ldreason.NewEvalReasonFallthrough(), experiment.Reason)
	_, found = state.Flag("undecodable")
	require.False(t, found)
	values := state.Values()
	require.Len(t, values, 9)
	delete(values, "base")
	require.Len(t, state.Values(), 9)
}

func TestClient_AllFlagsState_InvalidContext(t *testing.T) {
	state := allFlagsClient(t).AllFlagsState(t.Context(), ldcontext.Context{})
	require.False(t, state.Valid())
	got, err := json.Marshal(state)
	require.NoError(t, err)
	require.JSONEq(t, `{"$valid":false,"$flagsState":{}}`, string(got))
}

func TestClient_AllFlagsState_CorruptItemHidesNoOther(t *testing.T) {
	store := filledStore(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "1")))
	_, err := store.Upsert(t.Context(), core.Flags, "broken", core.SerializedItem{Version: 1, Data: []byte(`{"key":`)})
	require.NoError(t, err)
	client, err := New(t.Context(), Config{Daemon: true, Store: store, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	state := client.AllFlagsState(t.Context(), user)
	require.True(t, state.Valid())
	require.Len(t, state.Values(), 1)
	_, detail := client.BoolVariationDetail(t.Context(), "broken", user, false)
	require.Equal(t, ldreason.EvalErrorMalformedFlag, detail.Reason.GetErrorKind())
}

// Evaluating all flags takes a few allocations, however many there are.
func TestClient_AllFlagsState_AllocatesNothingPerFlag(t *testing.T) {
	const flags = 1000
	var data []string
	for i := range flags {
		key := fmt.Sprintf("flag-%d", i)
		data = append(data, key, fmt.Sprintf(
			`{"key":%q,"on":true,"targets":[{"variation":1,"values":["someone"]}],"variations":[false,true]}`, key))
	}
	client, _ := newTestClientWith(t, flagtest.Items(t, data...), Config{Store: memorystore.New(nil, nil)})
	ctx := t.Context()
	require.Len(t, client.AllFlagsState(ctx, user).Values(), flags)
	least := math.Inf(1)
	for range 5 { // the first flags may be written to the store meanwhile, which allocates too
		least = min(least, testing.AllocsPerRun(10, func() { client.AllFlagsState(ctx, user) }))
	}
	require.Less(t, least, 30.0)
}

func TestClient_AllFlagsState_NilOption_IsIgnored(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")))
	require.Equal(t, ldvalue.Bool(true), client.AllFlagsState(t.Context(), user, nil).Value("a"))
}
