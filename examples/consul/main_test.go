package main

import (
	"context"
	"log"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/examples/internal/program"
)

const token = "6a1f3c9e-2d4b-4f7a-9c55-0b1e6d8a7f11"

func TestMain(m *testing.M) {
	var options []goleak.Option
	for _, function := range containers.BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(containers.WithCleanup(m), options...)
}

// startServer starts a Consul that denies everything to who has no token, and waits until it knows the token.
func startServer(t *testing.T) (address string) {
	t.Helper()
	server := containers.StartConsul(t, "-hcl",
		`acl { enabled = true, default_policy = "deny", tokens { initial_management = "`+token+`" } }`)
	store := openStore(t, server.Address)
	require.Eventually(t, func() bool {
		_, err := store.Initialized(t.Context())
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, store.Close())
	return server.Address
}

func openStore(t *testing.T, address string) *consulstore.Store {
	t.Helper()
	store, err := consulstore.Open(t.Context(), &consulstore.Options{Address: "http://" + address, Token: token, Prefix: "shop"})
	require.NoError(t, err)
	return store
}

func writeFile(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func storeURL(address, tokenFile string) string {
	return "consul://" + address + "?prefix=shop&token_file=" + url.QueryEscape(tokenFile)
}

func TestRun_PublishesTheFileAndItsChanges(t *testing.T) {
	address := startServer(t)
	tokenFile := writeFile(t, "token", token+"\n")
	flagFile := writeFile(t, "flags.yaml", "flagValues: {cart-max-lines: 100, other: 1}")
	p := program.Start(t, func(ctx context.Context, out *log.Logger) error {
		return run(ctx, out, storeURL(address, tokenFile), flagFile)
	})
	p.WaitFor(t, "published")
	require.Equal(t, 100, read(t, address))

	changed := "flags: {cart-max-lines: {version: 2, on: false, offVariation: 0, variations: [200]}}\nflagValues: {other: 1}"
	require.NoError(t, os.WriteFile(flagFile, []byte(changed), 0o600))
	p.WaitFor(t, "changed: cart-max-lines")
	p.Stop(t)
	require.Equal(t, 200, read(t, address))
}

// read evaluates the flag as another service does.
func read(t *testing.T, address string) int {
	t.Helper()
	client, err := cleat.New(t.Context(), cleat.Config{Daemon: true, Store: openStore(t, address)})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	return client.IntVariation(t.Context(), "cart-max-lines", ldcontext.New("ana"), 0)
}

func TestRun_WrongToken_Fails(t *testing.T) {
	address := startServer(t)
	const wrong = "00000000-2d4b-4f7a-9c55-0b1e6d8a7f11"
	err := run(t.Context(), log.New(t.Output(), "", 0), storeURL(address, writeFile(t, "token", wrong)), "../quickstart/flags.yaml")
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.NotContains(t, err.Error(), wrong)
}
