package main

import (
	"bytes"
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startService starts a flag service with a flag for the members of the big segment beta.g1, which has one member.
func startService(t *testing.T) (*mockbigsegments.Service, options) {
	t.Helper()
	flags, segments := mockservice.New(t), mockbigsegments.New(t)
	flags.SetData(`{"flags":{"new-checkout":{"key":"new-checkout","version":1,"on":true,"variations":[false,true],` +
		`"fallthrough":{"variation":0},` +
		`"rules":[{"id":"r","variation":1,"clauses":[{"op":"segmentMatch","values":["beta"]}]}]}},` +
		`"segments":{"beta":{"key":"beta","version":1,"unbounded":true,"generation":1}}}`)
	segments.Publish(mockbigsegments.Change{Segment: "beta.g1", Include: []string{core.BigSegmentContextHash("ana")}})
	mux := http.NewServeMux()
	mux.Handle("/", flags)
	mux.Handle(mockbigsegments.PollPath, segments)
	mux.Handle(mockbigsegments.StreamPath, segments)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return segments, options{
		sdkKey: mockbigsegments.SDKKey, service: server.URL, store: "memory://", flag: "new-checkout", context: "ana",
	}
}

func runText(ctx context.Context, o options) (string, error) {
	var text bytes.Buffer
	err := run(ctx, log.New(&text, "", 0), o)
	return text.String(), err
}

func TestRun_EvaluatesByMembership(t *testing.T) {
	_, o := startService(t)
	text, err := runText(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, "new-checkout is true for ana (RULE_MATCH(0,r), big segments HEALTHY)\n", text)
	o.context = "berta"
	text, err = runText(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, "new-checkout is false for berta (FALLTHROUGH, big segments HEALTHY)\n", text)
}

func TestRun_ServiceRefuses_Fails(t *testing.T) {
	segments, o := startService(t)
	segments.Next(mockbigsegments.PollPath, mockservice.Status(http.StatusForbidden))
	text, err := runText(t.Context(), o)
	require.ErrorContains(t, err, "403")
	require.Empty(t, text)
}

func TestRun_NoSuchStore_Fails(t *testing.T) {
	_, o := startService(t)
	o.store = "memory://host"
	_, err := runText(t.Context(), o)
	require.ErrorIs(t, err, core.ErrInvalid)
}
