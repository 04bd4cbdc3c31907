package config_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
)

// sources returns how many initializers and synchronizers a configuration has, and whether it has a fallback.
func sources(t *testing.T, file string) (initializers, synchronizers int, fallback bool) {
	t.Helper()
	cfg := load(t, options("mode: data-system\n"+file))
	require.Nil(t, cfg.DataSource)
	for _, factory := range cfg.DataSystem.Initializers {
		_, err := factory(core.ClientSettings{SDKKey: "k"})
		require.NoError(t, err)
	}
	for _, factory := range cfg.DataSystem.Synchronizers {
		_, err := factory(core.ClientSettings{SDKKey: "k"})
		require.NoError(t, err)
	}
	return len(cfg.DataSystem.Initializers), len(cfg.DataSystem.Synchronizers), cfg.DataSystem.Fallback != nil
}

func TestLoad_DataSystem_HasTheSourcesThatAreNamed(t *testing.T) {
	type counts struct {
		initializers, synchronizers int
		fallback                    bool
	}
	for file, want := range map[string]counts{
		"sdk_key: k": {1, 2, true},
		"sdk_key: k\ndata_system: {fallback: none}": {1, 2, false},
		"sdk_key: k\npolling: {interval: 1m}\nstreaming: {read_timeout: 1m}\ndata_system: {fallback: classic-streaming}": {1, 2, true},
		"sdk_key: k\ndata_system: {synchronizers: [streaming]}":                                                          {0, 1, true},
		"sdk_key: k\npolling: {interval: 1m}\ndata_system: {synchronizers: [classic-polling, classic-streaming]}":        {0, 2, false},
		"file: {paths: [a]}\ndata_system: {initializers: [file]}":                                                        {1, 0, false},
		"file: {paths: [a], reload: true}\ndata_system: {synchronizers: [file]}":                                         {0, 1, false},
		"sdk_key: k\nfile: {paths: [a]}\ndata_system: {initializers: [file, polling], synchronizers: [polling, file]}":   {2, 2, true},
	} {
		initializers, synchronizers, fallback := sources(t, file)
		require.Equal(t, want, counts{initializers, synchronizers, fallback}, file)
	}
	require.Nil(t, load(t, options("sdk_key: k")).DataSystem)
}

// A client of the environment alone: files at the start, and the flag service from then on.
func TestLoad_DataSystem_FilesThenTheService(t *testing.T) {
	var mu sync.Mutex // guards asked
	var asked []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer service.Close()
	path := filepath.Join(t.TempDir(), "flags.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"flagValues":{"a":true}}`), 0o600))
	cfg := loadForClient(t, "sdk_key: k", "CLEAT_MODE=data-system", "CLEAT_DATA_SYSTEM_INITIALIZERS=file",
		"CLEAT_DATA_SYSTEM_SYNCHRONIZERS=streaming,polling", "CLEAT_FILE_PATHS="+path, "CLEAT_ENDPOINTS_BASE="+service.URL,
		"CLEAT_EVENTS_ENABLED=false", "CLEAT_START_WAIT=1m")
	requireFlagOn(t, cfg)
	client, err := cleat.New(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(asked, "/sdk/stream") && slices.Contains(asked, "/sdk/poll")
	}, time.Minute, 10*time.Millisecond)
}
