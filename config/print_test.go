package config_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/cleatdev/cleat/config"
)

func TestSettings_String_IsAConfigurationFile(t *testing.T) {
	s := read(t, everything)
	text, found := strings.CutPrefix(s.String(), "sdk_key: REDACTED\n")
	require.True(t, found)
	require.Equal(t, s, read(t, text, "CLEAT_SDK_KEY=k"), "but for the SDK key, it says everything")
	require.Equal(t, "{}\n", config.Settings{}.String())
	require.Equal(t, "start_wait: \"off\"\n", config.Settings{StartWait: -time.Second}.String())

	type deployment struct{ Flags config.Settings }
	marshalled, err := yaml.Marshal(deployment{config.Settings{Mode: config.ModeFile, File: config.File{Paths: []string{"a"}}}})
	require.NoError(t, err)
	require.Equal(t, "flags:\n    mode: file\n    file:\n        paths:\n            - a\n", string(marshalled))
}

func TestSettings_MarshalJSON_HasTheNamesOfTheFile(t *testing.T) {
	text, err := json.Marshal(read(t, "sdk_key: k\nstart_wait: 3s\nstore: memory://\nevents: {diagnostics: off, gzip: on, capacity: 3}"))
	require.NoError(t, err)
	require.JSONEq(t, `{"sdk_key": "REDACTED", "start_wait": "3s", "store": "memory://",
		"events": {"diagnostics": false, "gzip": true, "capacity": 3}}`, string(text))
}

func TestSettings_Equal_ComparesSecretsToo(t *testing.T) {
	s := everythingSettings()
	require.True(t, s.Equal(everythingSettings()))
	s.SDKKey = config.NewSecret("other")
	require.False(t, s.Equal(everythingSettings()))
	s = config.Settings{File: config.File{Paths: []string{}}}
	require.True(t, s.Equal(config.Settings{}))
	require.NotNil(t, s.File.Paths, "comparing changes nothing")
}
