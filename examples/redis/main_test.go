package main

import (
	"context"
	"log"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/examples/internal/program"
)

func TestMain(m *testing.M) {
	var options []goleak.Option
	for _, function := range containers.BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(containers.WithCleanup(m), options...)
}

func TestRun_FlagsOutliveTheServer(t *testing.T) {
	server := containers.StartRedis(t)
	url := server.URL + "?prefix=example&cache=30s&max_stale=24h&read_timeout=500ms"
	p := program.Start(t, func(ctx context.Context, out *log.Logger) error {
		return run(ctx, out, url, "../quickstart/flags.yaml")
	})
	p.WaitFor(t, "redis available: true, cart limit: 100 (FALLTHROUGH)")
	server.Stop(t)
	p.WaitFor(t, "redis available: false, cart limit: 100 (FALLTHROUGH)")
	server.Start(t)
	p.WaitFor(t, "redis available: true, cart limit: 100 (FALLTHROUGH)")
}

func TestRun_ParameterThatRedisDoesNotKnow_Fails(t *testing.T) {
	err := run(t.Context(), log.New(t.Output(), "", 0), "redis://127.0.0.1:1?ttl=30s", "../quickstart/flags.yaml")
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "parameter ttl: it is unknown; known are ")
}
