package main

import (
	"bytes"
	"log"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/testsource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newClient returns a client whose flags the test sets.
func newClient(t *testing.T) (*cleat.Client, *testsource.Source) {
	t.Helper()
	flags := testsource.New()
	client, err := cleat.New(t.Context(), cleat.Config{DataSource: flags.Factory()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client, flags
}

// A flag has reached the client when Update returns: there is nothing to wait for.
func TestGreeting_FollowsTheFlag(t *testing.T) {
	client, flags := newClient(t)
	ana := ldcontext.NewBuilder("ana").Name("Ana").Build()
	require.Equal(t, "Hello!", greeting(t.Context(), client, ana))

	flags.Update(flags.Flag("greet-by-name").VariationForAll(testsource.True))
	require.Equal(t, "Hello, Ana!", greeting(t.Context(), client, ana))
	require.Equal(t, "Hello!", greeting(t.Context(), client, ldcontext.New("nobody")))

	flags.Update(flags.Flag("greet-by-name").On(false))
	require.Equal(t, "Hello!", greeting(t.Context(), client, ana))
}

func TestGreeting_DependsOnTheCountry(t *testing.T) {
	const hello, hola = 0, 1
	client, flags := newClient(t)
	flags.Update(flags.Flag("greeting").
		Variations(ldvalue.String("Hello"), ldvalue.String("Hola")).
		FallthroughVariation(hello).
		Rule(hola, testsource.Match("country", ldvalue.String("ES"), ldvalue.String("MX"))))
	for country, want := range map[string]string{"ES": "Hola!", "MX": "Hola!", "DE": "Hello!"} {
		visitor := ldcontext.NewBuilder("v").SetString("country", country).Build()
		require.Equal(t, want, greeting(t.Context(), client, visitor), country)
	}
}

// An application goes on with the last flags when the flag service is gone, and can see that it is.
func TestGreeting_ServiceIsGone_KeepsTheLastFlags(t *testing.T) {
	client, flags := newClient(t)
	flags.Update(flags.Flag("greeting").ValueForAll(ldvalue.String("Moin")))
	flags.UpdateStatus(core.DataSourceInterrupted, core.DataSourceErrorInfo{Kind: core.DataSourceErrorNetwork})
	require.Equal(t, core.DataSourceInterrupted, client.DataSourceStatus().Status().State)
	require.Equal(t, "Moin!", greeting(t.Context(), client, ldcontext.New("v")))
}

func TestRun_WithAnotherDataSource(t *testing.T) {
	flags := testsource.New()
	flags.Update(flags.Flag("greet-by-name").VariationForAll(testsource.True))
	var text bytes.Buffer
	require.NoError(t, run(t.Context(), log.New(&text, "", 0), cleat.Config{DataSource: flags.Factory()}))
	require.Equal(t, "Hello, Ana!\n", text.String())
}
