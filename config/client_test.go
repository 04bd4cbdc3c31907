package config_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/config"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockservice"
)

const flagOn = `{"key":"a","version":1,"on":true,"fallthrough":{"variation":0},"variations":[true,false],"salt":"s"}`

// requireFlagOn makes a client of the configuration, shows that it has the flag, and closes it.
func requireFlagOn(t *testing.T, cfg cleat.Config) {
	t.Helper()
	client, err := cleat.New(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	require.True(t, client.BoolVariation(t.Context(), "a", ldcontext.New("ann"), false))
}

// loadForClient loads a configuration whose stores a client will close.
func loadForClient(t *testing.T, file string, env ...string) cleat.Config {
	t.Helper()
	opts := options(file, env...)
	inner := opts.ReadFile
	opts.ReadFile = func(name string) ([]byte, error) {
		if filepath.IsAbs(name) {
			return os.ReadFile(name)
		}
		return inner(name)
	}
	cfg, err := config.Load(t.Context(), "cleat.yaml", opts)
	require.NoError(t, err)
	return cfg
}

func TestLoad_StreamingAndPolling_ReachTheService(t *testing.T) {
	for path, file := range map[string]string{
		mockservice.StreamPath: "payload_filter: f-1",
		mockservice.PollPath:   "mode: polling\npayload_filter: f-1\napplication: {id: app}",
	} {
		service := mockservice.New(t)
		service.SetData(`{"flags":{"a":` + flagOn + `},"segments":{}}`)
		keyFile := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(keyFile, []byte("k-1\n"), 0o600))
		cfg := loadForClient(t, file, "CLEAT_SDK_KEY_FILE="+keyFile, "CLEAT_ENDPOINTS_BASE="+mockservice.URL,
			"CLEAT_EVENTS_ENABLED=false", "CLEAT_START_WAIT=1m")
		cfg.HTTP.Transport = service.Client().Transport
		requireFlagOn(t, cfg)
		requests := service.Requests(path)
		require.NotEmpty(t, requests)
		require.Equal(t, "k-1", requests[0].Header.Get("Authorization"))
		require.Equal(t, "f-1", requests[0].URL.Query().Get("filter"))
		service.Close()
	}
}

func TestLoad_DaemonMode_ReadsTheStore(t *testing.T) {
	url := "sqlite://" + filepath.Join(t.TempDir(), "flags.db") + "?prefix=p"
	backend, err := all.Registry().Open(t.Context(), url)
	require.NoError(t, err)
	require.NoError(t, backend.Store.Init(t.Context(), []core.SerializedCollection{{
		Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "a", Item: core.SerializedItem{Version: 1, Data: []byte(flagOn)}}},
	}}))
	require.NoError(t, backend.Store.Close())
	requireFlagOn(t, loadForClient(t, "mode: daemon\nbig_segments: {store: same}", "CLEAT_STORE="+url))
}

func TestLoad_FileMode_ReadsTheFilesAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flags.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"flagValues":{"a":false}}`), 0o600))
	client, err := cleat.New(t.Context(), loadForClient(t, "mode: file\nfile: {reload: true}\nstore: memory://", "CLEAT_FILE_PATHS="+path))
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	require.False(t, client.BoolVariation(t.Context(), "a", ldcontext.New("ann"), true))
	require.NoError(t, os.WriteFile(path, []byte(`{"flagValues":{"a":true}}`), 0o600))
	require.Eventually(t, func() bool {
		return client.BoolVariation(context.Background(), "a", ldcontext.New("ann"), false)
	}, 30*time.Second, 10*time.Millisecond)
}
