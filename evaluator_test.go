package cleat

import (
	"context"
	"fmt"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
)

// twice returns flags of which each but the last has the next one as a prerequisite two times.
func twice(t testing.TB, flags int) []core.Collection {
	t.Helper()
	var data []string
	for i := range flags {
		key, next := fmt.Sprintf("f%d", i), fmt.Sprintf("f%d", i+1)
		prerequisites := fmt.Sprintf(`{"key":%q,"variation":0},{"key":%q,"variation":0}`, next, next)
		if i == flags-1 {
			prerequisites = ""
		}
		data = append(data, key, fmt.Sprintf(
			`{"key":%q,"version":1,"on":true,"fallthrough":{"variation":0},"variations":["x"],"prerequisites":[%s]}`, key, prerequisites))
	}
	return flagtest.Items(t, data...)
}

// A few kilobytes of flags would otherwise take years.
func TestClient_Variation_PrerequisitesThatDouble_EndSoon(t *testing.T) {
	var sent eventLog
	client, _ := newTestClientWith(t, twice(t, 60), Config{Events: sent.factory})
	value, detail := client.StringVariationDetail(t.Context(), "f0", user, "default")
	require.Equal(t, "default", value)
	require.Equal(t, ldreason.EvalErrorMalformedFlag, detail.Reason.GetErrorKind())
	require.Less(t, len(sent.events), 2*maxReads)
	require.Equal(t, "x", client.StringVariation(t.Context(), "f55", user, "default"), "what is meant to be is not affected")
}

func TestClient_Variation_SegmentsThatDouble_EndSoon(t *testing.T) {
	data := []string{"flag", `{"key":"flag","version":1,"on":true,"variations":["in","out"],"fallthrough":{"variation":1},` +
		`"rules":[{"variation":0,"clauses":[{"op":"segmentMatch","values":["segment0"]}]}]}`}
	for i := range 60 {
		key, next := fmt.Sprintf("segment%d", i), fmt.Sprintf("segment%d", i+1)
		clause := fmt.Sprintf(`{"clauses":[{"op":"segmentMatch","values":[%q]}]}`, next)
		data = append(data, key, fmt.Sprintf(`{"key":%q,"version":1,"rules":[%s,%s]}`, key, clause, clause))
	}
	client, _ := newTestClient(t, flagtest.Items(t, data...))
	_, detail := client.StringVariationDetail(t.Context(), "flag", user, "default")
	require.Equal(t, ldreason.EvalErrorMalformedFlag, detail.Reason.GetErrorKind())
}

// An evaluation that takes long ends with its context.
func TestClient_Variation_ContextEndsWhileEvaluating(t *testing.T) {
	client, _ := newTestClient(t, twice(t, 12)) // some thousand reads
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, detail := client.StringVariationDetail(ctx, "f0", user, "default")
	require.Equal(t, ldreason.EvalErrorException, detail.Reason.GetErrorKind())
	require.Equal(t, "x", client.StringVariation(t.Context(), "f0", user, "default"))
}
