package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/sqlitestore"
)

// The program prints what README.md says it prints.
func Example() {
	defer func() { _ = os.Remove("flags.db") }()
	if err := run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// express checkout
	// cart limit: 100 FALLTHROUGH
}

// What README.md says of the store holds: with the file gone and no data source, the flags are the same.
func TestRun_StoreAlone(t *testing.T) {
	flags, err := os.ReadFile("flags.yaml")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("flags.yaml", flags, 0o600))
	require.NoError(t, run(t.Context()))
	require.NoError(t, os.Remove("flags.yaml"))

	store, err := sqlitestore.New(t.Context(), "flags.db", nil)
	require.NoError(t, err)
	client, err := cleat.New(t.Context(), cleat.Config{Daemon: true, Store: store})
	require.NoError(t, err)
	visitor := ldcontext.NewBuilder("ana").SetString("country", "DE").Build()
	require.True(t, client.BoolVariation(t.Context(), "checkout-express-button", visitor, false))
	require.Equal(t, 100, client.IntVariation(t.Context(), "cart-max-lines", visitor, 50))
	require.NoError(t, client.Close())
}

// README.md shows this program and its flag file as they are.
func TestReadme_ShowsTheProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, name := range []string{"main.go", "flags.yaml"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Contains(t, string(readme), "\n"+string(text)+"```\n", name)
	}
}
