package main

import (
	"bytes"
	"log"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

func TestMain(m *testing.M) {
	var options []goleak.Option
	for _, function := range containers.BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(containers.WithCleanup(m), options...)
}

func TestRun_FlagsAreKeptInRedis(t *testing.T) {
	t.Chdir("../..")
	store := containers.Redis(t) + "?prefix=service"
	t.Setenv("CLEAT_STORE", store)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), log.New(&out, "", 0), "examples/service/cleat.yaml"))
	require.Equal(t, "cart limit: 100 (FALLTHROUGH)\n", out.String())

	t.Setenv("CLEAT_MODE", "daemon") // which ignores the file of flags
	out.Reset()
	require.NoError(t, run(t.Context(), log.New(&out, "", 0), "examples/service/cleat.yaml"))
	require.Equal(t, "cart limit: 100 (FALLTHROUGH)\n", out.String())
}

func TestRun_AnotherDatabase_NamesTheImport(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("CLEAT_STORE", "consul://127.0.0.1:1")
	err := run(t.Context(), log.New(t.Output(), "", 0), "examples/service/cleat.yaml")
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "consul:// needs github.com/cleatdev/cleat/consulstore")
}
