package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/config"
	"github.com/cleatdev/cleat/core"
)

// options returns options with a file called cleat.yaml and an environment.
func options(file string, env ...string) *config.Options {
	return &config.Options{
		Env: append([]string{}, env...),
		ReadFile: func(name string) ([]byte, error) {
			if name != "cleat.yaml" {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(file), nil
		},
		Registry: all.Registry(),
	}
}

func read(t *testing.T, file string, env ...string) config.Settings {
	t.Helper()
	s, err := config.Read("cleat.yaml", options(file, env...))
	require.NoError(t, err)
	return s
}

const everything = `
sdk_key: k
mode: polling
payload_filter: f-1
start_wait: 10s
polling: {interval: 1m, request_timeout: 2s}
store: redis://h:1?prefix=p
store_mode: read-only
big_segments: {store: same, cache_size: 1, cache_bytes: 9, cache_time: 2s, stale_after: 3s, status_poll_interval: 4s, query_timeout: 5s, serve_stale_for: 6s}
endpoints: {base: "http://b", streaming: "http://s", polling: "http://p", events: "http://e"}
events:
  enabled: true
  capacity: 1
  flush_interval: 2s
  all_attributes_private: on
  private_attributes: [a, /b/c]
  omit_anonymous_contexts: TRUE
  context_keys_capacity: 3
  context_keys_flush_interval: 4s
  gzip: true
  diagnostics: off
  diagnostic_interval: 1m
http: {proxy: "socks5://p:1", ca_file: /ca, connect_timeout: 1s}
application: {id: app, version: 1.10}
`

func everythingSettings() config.Settings {
	return config.Settings{
		SDKKey: config.NewSecret("k"), Mode: config.ModePolling, PayloadFilter: "f-1", StartWait: 10 * time.Second,
		Polling: config.Polling{Interval: time.Minute, RequestTimeout: 2 * time.Second},
		Store:   config.NewURL("redis://h:1?prefix=p"), StoreMode: config.StoreReadOnly,
		BigSegments: config.BigSegments{
			Store: config.NewURL("same"), CacheSize: 1, CacheBytes: 9, CacheTime: 2 * time.Second, StaleAfter: 3 * time.Second,
			StatusPollInterval: 4 * time.Second, QueryTimeout: 5 * time.Second, ServeStaleFor: 6 * time.Second,
		},
		Endpoints: config.Endpoints{
			Base: config.NewURL("http://b"), Streaming: config.NewURL("http://s"), Polling: config.NewURL("http://p"),
			Events: config.NewURL("http://e"),
		},
		Events: config.Events{
			Enabled: config.On, Capacity: 1, FlushInterval: 2 * time.Second, AllAttributesPrivate: true,
			PrivateAttributes: []string{"a", "/b/c"}, OmitAnonymousContexts: true, ContextKeysCapacity: 3,
			ContextKeysFlushInterval: 4 * time.Second, Gzip: true, Diagnostics: config.Off, DiagnosticInterval: time.Minute,
		},
		HTTP:        config.HTTP{Proxy: config.NewURL("socks5://p:1"), CAFile: "/ca", ConnectTimeout: time.Second},
		Application: config.Application{ID: "app", Version: "1.10"},
	}
}

func TestRead_File_SetsEverySetting(t *testing.T) {
	s := read(t, everything)
	require.Equal(t, everythingSettings(), s)
	require.True(t, s.Equal(everythingSettings()))
}

func TestRead_Environment_SetsEverySetting(t *testing.T) {
	s := read(t, "", "CLEAT_SDK_KEY=k", "CLEAT_MODE= polling\n", "CLEAT_PAYLOAD_FILTER=f-1", "CLEAT_START_WAIT=10s",
		"CLEAT_POLLING_INTERVAL=1m", "CLEAT_POLLING_REQUEST_TIMEOUT=2s", "CLEAT_STORE=redis://h:1?prefix=p",
		"CLEAT_STORE_MODE=read-only", "CLEAT_BIG_SEGMENTS_STORE=same", "CLEAT_BIG_SEGMENTS_CACHE_SIZE=1",
		"CLEAT_BIG_SEGMENTS_CACHE_BYTES=9",
		"CLEAT_BIG_SEGMENTS_CACHE_TIME=2s", "CLEAT_BIG_SEGMENTS_STALE_AFTER=3s", "CLEAT_BIG_SEGMENTS_STATUS_POLL_INTERVAL=4s",
		"CLEAT_BIG_SEGMENTS_QUERY_TIMEOUT=5s", "CLEAT_BIG_SEGMENTS_SERVE_STALE_FOR=6s", "CLEAT_ENDPOINTS_BASE=http://b",
		"CLEAT_ENDPOINTS_STREAMING=http://s", "CLEAT_ENDPOINTS_POLLING=http://p", "CLEAT_ENDPOINTS_EVENTS=http://e",
		"CLEAT_EVENTS_ENABLED=true", "CLEAT_EVENTS_CAPACITY=1", "CLEAT_EVENTS_FLUSH_INTERVAL=2s",
		"CLEAT_EVENTS_ALL_ATTRIBUTES_PRIVATE=on", "CLEAT_EVENTS_PRIVATE_ATTRIBUTES=a, /b/c",
		"CLEAT_EVENTS_OMIT_ANONYMOUS_CONTEXTS=true", "CLEAT_EVENTS_CONTEXT_KEYS_CAPACITY=3",
		"CLEAT_EVENTS_CONTEXT_KEYS_FLUSH_INTERVAL=4s", "CLEAT_EVENTS_GZIP=true", "CLEAT_EVENTS_DIAGNOSTICS=off",
		"CLEAT_EVENTS_DIAGNOSTIC_INTERVAL=1m", "CLEAT_HTTP_PROXY=socks5://p:1", "CLEAT_HTTP_CA_FILE=/ca",
		"CLEAT_HTTP_CONNECT_TIMEOUT=1s", "CLEAT_APPLICATION_ID=app", "CLEAT_APPLICATION_VERSION=1.10")
	require.Equal(t, everythingSettings(), s)
}

func TestRead_OtherModes_SetTheirSettings(t *testing.T) {
	require.Equal(t, config.Settings{
		SDKKeyFile: "/key", StartWait: -1,
		Streaming: config.Streaming{InitialRetryDelay: time.Second, ReadTimeout: time.Minute},
		HTTP:      config.HTTP{InsecureSkipVerify: true},
	}, read(t, "{sdk_key_file: /key, start_wait: off, streaming: {initial_retry_delay: 1s, read_timeout: 1m}, "+
		"http: {insecure_skip_verify: on}}"))
	require.Equal(t, config.Settings{
		SDKKeyEnv: "CLEAT_KEY", Mode: config.ModeFile,
		File: config.File{Paths: []string{"a", "b"}, Reload: true, PollInterval: time.Second},
	}, read(t, "{sdk_key_env: CLEAT_KEY, mode: file, file: {paths: [a, b], reload: true, poll_interval: 1s}}"))
}

func TestRead_Environment_WinsOverTheFile(t *testing.T) {
	s := read(t, "sdk_key_file: /key\nevents: {gzip: true, capacity: 1, private_attributes: [a, b]}\nmode: polling",
		"CLEAT_SDK_KEY=k", "CLEAT_EVENTS_GZIP=false", "CLEAT_EVENTS_PRIVATE_ATTRIBUTES=c", "CLEAT_MODE=streaming")
	require.Equal(t, config.Settings{
		SDKKey: config.NewSecret("k"), Mode: config.ModeStreaming,
		Events: config.Events{Capacity: 1, PrivateAttributes: []string{"c"}},
	}, s)
}

func TestRead_WhatIsEmpty_CountsAsNotSet(t *testing.T) {
	s := read(t, "sdk_key: k\nmode:\nstore: ''\nevents:\npolling: {}\nfile: {paths: []}\nstart_wait: ~\nhttp: {ca_file: ' '}",
		"CLEAT_SDK_KEY=", "CLEAT_MODE= ", "CLEAT_EVENTS_PRIVATE_ATTRIBUTES=")
	require.Equal(t, config.Settings{SDKKey: config.NewSecret("k")}, s)
}

func TestRead_NoPath_TakesTheFileOfTheEnvironmentOrNone(t *testing.T) {
	s, err := config.Read("", options("sdk_key: k", "CLEAT_CONFIG=cleat.yaml"))
	require.NoError(t, err)
	require.Equal(t, config.Settings{SDKKey: config.NewSecret("k")}, s)

	s, err = config.Read("", options("sdk_key: k", "CLEAT_MODE=offline"))
	require.NoError(t, err)
	require.Equal(t, config.Settings{Mode: config.ModeOffline}, s)

	_, err = config.Read("", options("", "CLEAT_CONFIG=missing.yaml"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "missing.yaml")
	_, err = config.Read("cleat.yaml", options("sdk_key: k", "CLEAT_CONFIG=missing.yaml"))
	require.NoError(t, err, "the program's path counts")
}

func TestRead_NilOptions_TakesTheProcess(t *testing.T) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "CLEAT_") && !strings.HasPrefix(name, "CLEAT_TEST_") {
			t.Setenv(name, "")
			require.NoError(t, os.Unsetenv(name))
		}
	}
	path := filepath.Join(t.TempDir(), "cleat.yaml")
	require.NoError(t, os.WriteFile(path, []byte("mode: daemon"), 0o600))
	t.Setenv("CLEAT_CONFIG", path)
	t.Setenv("CLEAT_STORE", "memory://")
	s, err := config.Read("", nil)
	require.NoError(t, err)
	require.Equal(t, config.Settings{Mode: config.ModeDaemon, Store: config.NewURL("memory://")}, s)
}

func TestRead_YAMLVersion12_IsRead(t *testing.T) {
	require.Equal(t, "f", read(t, "%YAML 1.2\n---\nmode: offline\npayload_filter: f").PayloadFilter)
}

func TestRead_YAMLAliases_AreFollowed(t *testing.T) {
	s := read(t, "mode: &m offline\nevents: &e {gzip: true}\npayload_filter: *m")
	require.Equal(t, "offline", s.PayloadFilter)
	_, err := config.Read("cleat.yaml", options("mode: offline\nevents: &e {gzip: *e}\nfile: {paths: &p [*p]}"))
	require.ErrorContains(t, err, "cleat.yaml:2: events.gzip: expected true or false, and found a group of settings")
	require.ErrorContains(t, err, "cleat.yaml:3: file.paths: expected the paths of files, and found a list in the list")
}

func TestRead_VariablesThatOthersSet_AreNoErrors(t *testing.T) {
	read(t, "{sdk_key_env: CLEAT_MY_KEY, store: 'redis://h?password_env=CLEAT_REDIS_PASSWORD', "+
		"big_segments: {store: 'consul://h?token_env=CLEAT_CONSUL_TOKEN'}}",
		"CLEAT_MY_KEY=a", "CLEAT_REDIS_PASSWORD=b", "CLEAT_CONSUL_TOKEN=c", "CLEAT_TEST_REDIS_URL=d", "CLEATING=1", "HOME=/",
		"CLEAT_SERVICE_HOST=10.0.0.1", "CLEAT_RELAY_SERVICE_HOST=10.0.0.1", "CLEAT_RELAY_SERVICE_PORT=8030",
		"CLEAT_RELAY_SERVICE_PORT_HTTP=8030", "CLEAT_RELAY_PORT=tcp://10.0.0.1:8030",
		"CLEAT_RELAY_PORT_8030_TCP=tcp://10.0.0.1:8030", "CLEAT_RELAY_PORT_8030_TCP_ADDR=10.0.0.1",
		"CLEAT_RELAY_PORT_8030_TCP_PROTO=tcp", "CLEAT_RELAY_PORT_8030_TCP_PORT=8030")
}

func TestRead_ModeFromTheEnvironment_MakesSettingsOfTheFileNeedless(t *testing.T) {
	file := "sdk_key: k\nmode: polling\npolling: {interval: 1m}\npayload_filter: f\nstore: memory://\nstore_mode: read-write"
	s := read(t, file, "CLEAT_MODE=daemon")
	require.Equal(t, config.Settings{
		SDKKey: config.NewSecret("k"), Mode: config.ModeDaemon, Store: config.NewURL("memory://"),
	}, s)
	_, err := config.Read("cleat.yaml", options(file, "CLEAT_MODE=streaming", "CLEAT_POLLING_INTERVAL=1m"))
	require.EqualError(t, err, "config: CLEAT_POLLING_INTERVAL: polling.interval: it has no effect in mode streaming; "+
		"remove it, or set mode: polling")
}

func TestRead_OfflineMode_IsASwitchBesideEverything(t *testing.T) {
	s := read(t, everything, "CLEAT_MODE=offline")
	want := everythingSettings()
	want.Mode = config.ModeOffline
	require.Equal(t, want, s)
	read(t, "events: {enabled: false, capacity: 3}\nsdk_key: k")
}

func TestRead_EachProblem_IsAnError(t *testing.T) {
	_, err := config.Read("cleat.yaml", options("mode: x\nstroe: y\nevents: {capacity: 0}", "CLEAT_STROE=1", "CLEAT_STORE=nope"))
	var found []*config.Error
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	for _, one := range joined.Unwrap() {
		e, ok := errors.AsType[*config.Error](one)
		require.True(t, ok)
		require.ErrorIs(t, one, core.ErrInvalid)
		found = append(found, e)
	}
	require.Len(t, found, 5)
	require.Equal(t, &config.Error{"cleat.yaml:1", "mode", "expected one of streaming, polling, file, data-system, daemon, offline"}, found[0])
	require.Equal(t, "cleat.yaml:2", found[1].Source)
	require.Equal(t, &config.Error{"cleat.yaml:3", "events.capacity", "expected a whole number from 1 to 1000000"}, found[2])
	require.Equal(t, "CLEAT_STORE", found[3].Source)
	require.Equal(t, "environment", found[4].Source)
}
