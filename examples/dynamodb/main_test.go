package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"log"
	"path/filepath"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/dynamostore"
)

func TestMain(m *testing.M) {
	var options []goleak.Option
	for _, function := range containers.BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(containers.WithCleanup(m), options...)
}

// useServer sets the environment in which AWS programs find the test's server, and returns the name of a table of its own.
func useServer(t *testing.T) (table string) {
	t.Helper()
	t.Setenv("AWS_ENDPOINT_URL", containers.DynamoDB(t))
	t.Setenv("AWS_REGION", "local")
	t.Setenv("AWS_ACCESS_KEY_ID", "any")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "any")
	return "example-" + rand.Text()
}

func output(ctx context.Context, table, flagFile string) (string, error) {
	var text bytes.Buffer
	err := run(ctx, log.New(&text, "", 0), table, flagFile)
	return text.String(), err
}

func TestRun_MakesTheTableAndKeepsFlagsInIt(t *testing.T) {
	table := useServer(t)
	for range 2 { // the second time the table is there
		text, err := output(t.Context(), table, "../quickstart/flags.yaml")
		require.NoError(t, err)
		require.Equal(t, "express checkout: true (RULE_MATCH(0,))\n"+
			"flags available: true, big segments available: true, stale: true\n", text)
	}

	store, err := dynamostore.Open(t.Context(), table, nil)
	require.NoError(t, err)
	client, err := cleat.New(t.Context(), cleat.Config{Daemon: true, Store: store})
	require.NoError(t, err)
	require.Equal(t, 100, client.IntVariation(t.Context(), "cart-max-lines", ldcontext.New("ana"), 50))
	require.NoError(t, client.Close())
}

// The second run has no flag file, and the table has the flags of the first.
func TestRun_FlagFileIsGone_UsesTheTable(t *testing.T) {
	table := useServer(t)
	first, err := output(t.Context(), table, "../quickstart/flags.yaml")
	require.NoError(t, err)
	second, err := output(t.Context(), table, filepath.Join(t.TempDir(), "missing.yaml"))
	require.NoError(t, err)
	require.Equal(t, first, second)
}
