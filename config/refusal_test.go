package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/config"
	"github.com/cleatdev/cleat/core"
)

func TestRead_BadFiles_AreRefusedWithAdvice(t *testing.T) {
	for file, want := range map[string]string{
		"sdk_key:key":           "cleat.yaml:1: expected settings of the form name: value, each in a line; known are application, big_segments, data_system,",
		"[a]":                   "cleat.yaml:1: expected settings",
		"mode: [":               "cleat.yaml:1: from here on this is not YAML: did not find expected node content",
		"mode: a: b":            "cleat.yaml:1: from here on this is not YAML: mapping values are not allowed",
		"\n\nmode: *a-b":        "cleat.yaml:3: from here on this is not YAML: unknown anchor … referenced; a text that begins with * must be in quotes",
		"mode: offline\n---\na": "cleat.yaml:2: expected one YAML document",
		"sdk_key: k\n\x00":      "cleat.yaml:2: this line holds a character that cannot be in a YAML file",
		"sdk_key: k\n#\xff":     "cleat.yaml:2: this line holds a character",

		"mode: offline\nstroe: x":                  "cleat.yaml:2: unknown name stroe; known are application, big_segments, data_system, endpoints, events, file, http, mode, payload_filter,",
		"a1: x":                                    "cleat.yaml:1: unknown name; known are",
		"[a]: x":                                   "cleat.yaml:1: unknown name; known are",
		"<<: {mode: x}":                            "cleat.yaml:1: unknown name; known are",
		"events:\n  gzip: true\n  size: 1":         "cleat.yaml:3: events: unknown name size; known are all_attributes_private, capacity,",
		"events.gzip: true":                        "cleat.yaml:1: unknown name; known are",
		"events: true":                             "cleat.yaml:1: events: expected settings of the form name: value",
		"mode: a\nevents: {}\nmode: b":             "cleat.yaml:3: mode: it is already set in line 1; keep one of them",
		"events: {}\nevents: {}":                   "cleat.yaml:2: events: it is already set in line 1",
		"events: {gzip: on,\n gzip: on}":           "cleat.yaml:2: events.gzip: it is already set in line 1",
		"mode: [a]":                                "cleat.yaml:1: mode: expected one of streaming, polling, file, data-system, daemon, offline, and found a list",
		"mode: {a: b}":                             "mode: expected one of streaming, polling, file, data-system, daemon, offline, and found a group of settings",
		"mode: !!binary b2Zm":                      "and found a value with a tag",
		"file: {paths: a}":                         "file.paths: expected the paths of files, and found something else than a list such as [a, b]",
		"file: {paths: [[a]]}":                     "and found a list in the list",
		"file: {paths: [a, '']}":                   "file.paths: expected the paths of files",
		"mode: Polling":                            "cleat.yaml:1: mode: expected one of streaming",
		"data_system: {initializers: [streaming]}": "data_system.initializers: expected some of polling, file",
		"data_system: {synchronizers: [none]}":     "data_system.synchronizers: expected some of streaming, polling, file, classic-streaming, classic-polling",
		"data_system: {fallback: file}":            "data_system.fallback: expected one of classic-polling, classic-streaming, none",
		"start_wait: 0s":                           "start_wait: expected a duration such as 10s, or off",
		"start_wait: -1s":                          "start_wait: expected a duration such as 10s, or off",
		"start_wait: 5":                            "start_wait: expected a duration such as 10s, or off",
		"http: {connect_timeout: 30}":              "http.connect_timeout: expected a duration such as 500ms or 1m30s",
		"http: {connect_timeout: 0s}":              "http.connect_timeout: expected a duration",
		"http: {connect_timeout: -1s}":             "http.connect_timeout: expected a duration",
		"polling: {interval: 1s}":                  "polling.interval: expected a duration such as 500ms or 1m30s that is no shorter than 30s",
		"events: {capacity: many}":                 "events.capacity: expected a whole number from 1 to 1000000",
		"events: {capacity: 1.5}":                  "events.capacity: expected a whole number from 1 to 1000000",
		"events: {capacity: 1000001}":              "events.capacity: expected a whole number from 1 to 1000000",
		"events: {gzip: perhaps}":                  "events.gzip: expected true or false",
		"events: {enabled: 1}":                     "events.enabled: expected true or false",
		"events: {private_attributes: [/a//b]}":    "events.private_attributes: expected names of attributes, or references such as /address/street",
		"events: {diagnostic_interval: 1s}":        "no shorter than 1m0s",
		"sdk_key: a b":                             "sdk_key: expected the SDK key, without spaces",
		"sdk_key: REDACTED":                        "sdk_key: expected the SDK key",
		"sdk_key: \"a\\nb\"":                       "sdk_key: expected the SDK key",
		"sdk_key_env: a-b":                         "sdk_key_env: expected the name of an environment variable",
		"payload_filter: -a":                       "payload_filter: expected letters, digits",
		"application: {id: a b}":                   "application.id: expected at most 64 letters",
		"store: /flags.db":                         "store: expected a URL such as redis://host:6379?prefix=app",
		"store: mysql://h":                         "known schemes are consul, consuls, dynamodb, memory, redis",
		"store: same":                              "store: expected a URL",
		"big_segments: {store: here}":              "big_segments.store: expected same, or a URL such as redis://",
		"store: redis://u:1/2@h":                   "special characters are written as %XX",
		"store: redis://u:1#2@h":                   "special characters are written as %XX",
		"endpoints: {base: relay}":                 "endpoints.base: expected a URL such as https://relay.example.com",
		"endpoints: {base: 'https://r?a=b'}":       "without parameters",
		"endpoints: {events: 'ftp://r'}":           "endpoints.events: expected a URL",
		"http: {proxy: 'proxy:3128'}":              "http.proxy: expected the URL of a proxy, such as http://proxy:3128",
		"http: {proxy: 'ftp://proxy'}":             "http.proxy: expected the URL of a proxy",
	} {
		_, err := config.Read("cleat.yaml", options(file))
		require.ErrorContains(t, err, want, file)
		require.ErrorIs(t, err, core.ErrInvalid, file)
	}
}

func TestRead_BadEnvironments_AreRefusedWithAdvice(t *testing.T) {
	for env, want := range map[string]string{
		"CLEAT_STROE=x":                   "config: environment: unknown variables that begin with CLEAT_: CLEAT_STROE; known are CLEAT_CONFIG, CLEAT_SDK_KEY,",
		"CLEAT_EVENTS=x":                  "unknown variables that begin with CLEAT_: CLEAT_EVENTS;",
		"CLEAT_=x":                        "unknown variables that begin with CLEAT_: CLEAT_;",
		"CLEAT_EMPTY=":                    "unknown variables that begin with CLEAT_: CLEAT_EMPTY;",
		"CLEAT_MODE=never":                "config: CLEAT_MODE: mode: expected one of streaming",
		"CLEAT_FILE_PATHS=a,,b":           "config: CLEAT_FILE_PATHS: file.paths: expected the paths of files",
		"CLEAT_HTTP_CONNECT_TIMEOUT=soon": "config: CLEAT_HTTP_CONNECT_TIMEOUT: http.connect_timeout: expected a duration",
	} {
		_, err := config.Read("cleat.yaml", options("", env))
		require.ErrorContains(t, err, want, env)
		require.ErrorIs(t, err, core.ErrInvalid, env)
	}
}

func TestRead_Contradictions_AreRefusedWithAdvice(t *testing.T) {
	for file, want := range map[string]string{
		"":                                "config: sdk_key: mode streaming needs an SDK key: set sdk_key, sdk_key_file, or the variable CLEAT_SDK_KEY; or set mode to daemon, file or offline",
		"\nmode: polling":                 "config: cleat.yaml:2: sdk_key: mode polling needs an SDK key",
		"sdk_key: a\nsdk_key_file: b":     "config: cleat.yaml:2: sdk_key_file: it says the same as sdk_key; keep one of them",
		"sdk_key_env: a\nsdk_key_file: b": "config: cleat.yaml:1: sdk_key_env: it says the same as sdk_key_file",
		"sdk_key: a\nsdk_key_env: b\nmode: offline":              "sdk_key_env: it says the same as sdk_key",
		"mode: data-system":                                      "config: cleat.yaml:1: sdk_key: mode data-system needs an SDK key",
		"mode: data-system\ndata_system: {initializers: [file]}": "cleat.yaml:1: file.paths: mode data-system needs the paths",
		"mode: data-system\nsdk_key: a\npayload_filter: b":       "payload_filter: it has no effect in mode data-system",
		"mode: data-system\nsdk_key: a\nfile: {paths: [a]}":      "file.paths: it has no effect in mode data-system",
		"mode: data-system\nsdk_key: a\ndata_system: {synchronizers: [polling]}\nstreaming: {read_timeout: 1s}": "streaming.read_timeout: it has no effect",
		"sdk_key: a\ndata_system: {fallback: none}":                                                             "data_system.fallback: it has no effect in mode streaming; remove it, or set mode: data-system",
		"mode: file":                                        "config: cleat.yaml:1: file.paths: mode file needs the paths of the files with flags",
		"mode: daemon":                                      "config: cleat.yaml:1: store: mode daemon needs a store to read flags from",
		"sdk_key: a\npolling: {interval: 1m}":               "config: cleat.yaml:2: polling.interval: it has no effect in mode streaming; remove it, or set mode: polling",
		"sdk_key: a\nfile: {paths: [a]}":                    "file.paths: it has no effect in mode streaming; remove it, or set mode: file",
		"mode: file\nfile: {paths: [a]}\npayload_filter: b": "payload_filter: it has no effect in mode file; remove it, or set mode: streaming",
		"mode: daemon\nstore: memory://\nstreaming: {read_timeout: 1s}":                                    "streaming.read_timeout: it has no effect in mode daemon",
		"mode: daemon\nstore: memory://\nstore_mode: read-write":                                           "store_mode: a client in mode daemon writes nothing",
		"mode: daemon\nstore: memory://\nevents: {enabled: true}":                                          "cleat.yaml:3: events.enabled: events need an SDK key",
		"sdk_key: a\nstore_mode: read-only":                                                                "store_mode: there is no store; set one, or remove it",
		"sdk_key: a\nbig_segments: {cache_size: 1}":                                                        "big_segments.cache_size: there are no big segments without big_segments.store",
		"sdk_key: a\nbig_segments: {store: same}":                                                          "big_segments.store: it is the same as store, and there is none",
		"sdk_key: a\nstore: consul://h?prefix=app\nbig_segments: {store: same}":                            "cleat.yaml:3: big_segments.store: in Consul, big segments must not lie under the prefix of flags",
		"sdk_key: a\nstore: consul://h?prefix=app\nbig_segments: {store: 'consul://h?prefix=application'}": "in Consul, big segments must not",
		"sdk_key: a\nhttp: {insecure_skip_verify: true, ca_file: x}":                                       "http.ca_file: it has no effect beside http.insecure_skip_verify",
	} {
		_, err := config.Read("cleat.yaml", options(file))
		require.ErrorContains(t, err, want, file)
		require.ErrorIs(t, err, core.ErrInvalid, file)
		require.NotContains(t, strings.TrimPrefix(err.Error(), "config: "), "config: ", "one error for one mistake in %q", file)
	}
	_, err := config.Read("cleat.yaml", options("", "CLEAT_SDK_KEY=a", "CLEAT_SDK_KEY_FILE=b"))
	require.ErrorContains(t, err, "config: CLEAT_SDK_KEY_FILE: sdk_key_file: it says the same as sdk_key")
}

func TestSettings_Open_RefusesWhatReadWould(t *testing.T) {
	for want, s := range map[string]config.Settings{
		"config: sdk_key: mode streaming needs an SDK key":   {},
		"config: mode: expected one of":                      {Mode: "x"},
		"config: polling.interval: expected":                 {Polling: config.Polling{Interval: 1}},
		"config: events.capacity: expected":                  {Events: config.Events{Capacity: -1}},
		"config: events.enabled: expected":                   {Events: config.Events{Enabled: 7}},
		"config: file.paths: expected":                       {File: config.File{Paths: []string{""}}},
		"config: store: expected":                            {Store: config.NewURL("x")},
		"config: sdk_key: expected":                          {SDKKey: config.NewSecret("a b")},
		"config: sdk_key_file: it says the same as sdk_key;": {SDKKey: config.NewSecret("a"), SDKKeyFile: "b"},
	} {
		_, err := s.Open(t.Context(), nil)
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, core.ErrInvalid)
	}
	_, err := config.Settings{Mode: config.ModeOffline}.Open(nil, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = config.Load(nil, "", nil)
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestRead_BigSegmentsApartFromFlags_AreAccepted(t *testing.T) {
	for _, file := range []string{
		"store: consul://h\nbig_segments: {store: same}",
		"store: consul://h?prefix=app\nbig_segments: {store: 'consul://h'}",
		"store: consul://h?prefix=app\nbig_segments: {store: 'consul://h?prefix=segments-of-app'}",
		"store: consul://h?prefix=app\nbig_segments: {store: 'consul://other?prefix=app'}",
		"store: consul://h?prefix=app\nbig_segments: {store: 'redis://h?prefix=app'}",
		"store: redis://h?prefix=app\nbig_segments: {store: same}",
		"store: consul://h?prefix=app",
	} {
		_, err := config.Read("cleat.yaml", options("sdk_key: a\n"+file))
		require.NoError(t, err, file)
	}
}
