package main

import (
	"context"
	"log"
	"path/filepath"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/testsource"
	"github.com/cleatdev/cleat/examples/internal/program"
	"github.com/cleatdev/cleat/sqlitestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startWriter starts a client with a data source of the test's, as another process would have it.
func startWriter(t *testing.T, file string) *testsource.Source {
	t.Helper()
	store, err := sqlitestore.New(t.Context(), file, nil)
	require.NoError(t, err)
	flags := testsource.New()
	writer, err := cleat.New(t.Context(), cleat.Config{DataSource: flags.Factory(), Store: store})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, writer.Close()) })
	return flags
}

func startReader(t *testing.T, file string) *program.Program {
	t.Helper()
	return program.Start(t, func(ctx context.Context, out *log.Logger) error { return run(ctx, out, "sqlite://"+file) })
}

func TestRun_FollowsWhatAnotherWrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flags.db")
	flags := startWriter(t, file)
	flags.Update(flags.Flag(flagKey).ValueForAll(ldvalue.Int(100)))
	reader := startReader(t, file)
	reader.WaitFor(t, "cart limit: 100")
	flags.Update(flags.Flag(flagKey).ValueForAll(ldvalue.Int(200)))
	reader.WaitFor(t, "new cart limit: 200")
	flags.DeleteFlag(flagKey)
	reader.WaitFor(t, "new cart limit: 50")
}

func TestRun_StoreIsFilledLater(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flags.db")
	reader := startReader(t, file)
	reader.WaitFor(t, "the store has not been filled yet")
	reader.WaitFor(t, "cart limit: 50")
	flags := startWriter(t, file)
	flags.Update(flags.Flag(flagKey).ValueForAll(ldvalue.Int(100)))
	reader.WaitFor(t, "new cart limit: 100")
}

func TestRun_UnknownScheme_Fails(t *testing.T) {
	require.ErrorIs(t, run(t.Context(), log.New(t.Output(), "", 0), "mysql://host"), core.ErrInvalid)
}
