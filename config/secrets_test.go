package config_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/cleatdev/cleat/config"
)

const theSecret = "sdk-7f3a-S3cr3t"

// renderings returns the value as every way of printing shows it, also inside of a struct whose fields are not exported,
// where package fmt calls no methods.
func renderings(t *testing.T, value any) []string {
	t.Helper()
	pointer := reflect.New(reflect.TypeOf(value))
	pointer.Elem().Set(reflect.ValueOf(value))
	type outer struct {
		inner any
		Inner any
	}
	var shown []string
	for _, v := range []any{value, pointer.Interface(), []any{value}, map[string]any{"k": value}, outer{value, value}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%10.3v"} {
			shown = append(shown, fmt.Sprintf(verb, v))
		}
		shown = append(shown, fmt.Sprint(v), fmt.Sprintln(v))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("it", "value", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("it", "value", v)
		shown = append(shown, log.String())
		if text, err := json.Marshal(v); err == nil {
			shown = append(shown, string(text))
		}
	}
	text, err := yaml.Marshal(value)
	require.NoError(t, err)
	shown = append(shown, string(text))
	if text, err := xml.Marshal(value); err == nil {
		shown = append(shown, string(text))
	}
	return shown
}

// messages returns what an error is printed as.
func messages(err error) []string {
	return []string{err.Error(), fmt.Sprintf("%+v %#v %q", err, err, err)}
}

// requireHidden fails if one of the texts shows the secret, as it is, in hexadecimal, or escaped.
func requireHidden(t *testing.T, texts []string, secret string) {
	t.Helper()
	for _, text := range texts {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), url.QueryEscape(secret)} {
			require.NotContains(t, text, form)
		}
	}
}

func TestSettings_Print_ShowsNoSecret(t *testing.T) {
	for _, file := range []string{
		"sdk_key: " + theSecret,
		"sdk_key: k\nstore: redis://user:" + theSecret + "@host:1/2?prefix=p",
		"sdk_key: k\nstore: redis://:" + theSecret + "@host",
		"sdk_key: k\nstore: redis://" + theSecret + "@host",
		"sdk_key: k\nstore: redis://host?password=" + theSecret,
		"sdk_key: k\nstore: redis://host?prefix=a&PASSWORD=" + theSecret + "&db=1",
		"sdk_key: k\nstore: redis://host?" + theSecret,
		"sdk_key: k\nstore: redis://user@host?prefix=redis://u:" + theSecret + "%40host",
		"sdk_key: k\nstore: dynamodb://t?endpoint=http%3A%2F%2Fu%3A" + theSecret + "%40host",
		"sdk_key: k\nstore: dynamodb://x@t?endpoint=http://u:" + theSecret + "%40host",
		"sdk_key: k\nstore: dynamodb://t?endpoint=%zz" + theSecret,
		"sdk_key: k\nbig_segments: {store: 'redis://u:" + theSecret + "@host'}",
		"sdk_key: k\nendpoints: {base: 'https://u:" + theSecret + "@host', events: 'https://" + theSecret + "@host'}",
		"sdk_key: k\nhttp: {proxy: 'http://u:" + theSecret + "@proxy:3128'}",
	} {
		s := read(t, file)
		requireHidden(t, renderings(t, s), theSecret)
		type holder struct {
			settings config.Settings
			key      config.Secret
			store    *config.URL
		}
		requireHidden(t, []string{
			fmt.Sprintf("%v %+v %#v", holder{s, s.SDKKey, &s.Store}, &holder{s, s.SDKKey, &s.Store}, holder{s, s.SDKKey, nil}),
		}, theSecret)
	}
}

func TestSecret_IsEqualByText(t *testing.T) {
	equal := config.NewSecret("a"+strings.Repeat("b", 1)) == config.NewSecret("ab")
	require.True(t, equal)
	require.NotEqual(t, config.NewSecret("a"), config.NewSecret("b"))
	require.Equal(t, config.URL{}, config.NewURL(""))
	require.Equal(t, theSecret, config.NewSecret(theSecret).Reveal())
	require.Empty(t, config.Secret{}.Reveal())
	require.Empty(t, config.Secret{}.String())
	requireHidden(t, renderings(t, config.NewSecret(theSecret)), theSecret)
	requireHidden(t, renderings(t, config.NewURL(theSecret)), theSecret)
	require.Contains(t, renderings(t, config.NewSecret(theSecret)), "REDACTED")
}

func TestURL_String_ShowsWhatIsHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "same": "same", "memory://": "memory://", "sqlite:///var/a@b.db?cache=off": "sqlite:///var/a@b.db?cache=off",
		"redis://user:pw@host:1/2?prefix=p&cache=30s&x=y":    "redis://REDACTED@host:1/2?prefix=p&cache=30s&REDACTED",
		"redis://h?password_file=/run/x&read_all_timeout=1s": "redis://h?password_file=/run/x&read_all_timeout=1s",
		"redis://h?password_file=/run/x&password_env=X":      "redis://h?password_file=/run/x&password_env=X",
		"dynamodb://t?endpoint=http://localhost:8000":        "dynamodb://t?endpoint=http://localhost:8000",
		"https://relay.example.com/base":                     "https://relay.example.com/REDACTED",
		"redis+sentinel://a,b/main/0":                        "redis+sentinel://a,b/REDACTED",
		"https://relay.example.com#pw":                       "https://relay.example.com#REDACTED",
		"redis://u:p%zz@h":                                   "REDACTED",
		"redis://u:1/2@h":                                    "REDACTED",
		"redis://u:1#2@h":                                    "REDACTED",
		"redis://u:1?2@h":                                    "REDACTED",
		"redis://:1/2?x=3@h":                                 "REDACTED",
		"redis:pw":                                           "REDACTED",
		"pw":                                                 "REDACTED",
	} {
		require.Equal(t, want, config.NewURL(text).String(), text)
	}
}

// secretPlaces returns configurations that are wrong, each with the secret somewhere.
func secretPlaces() (files []string) {
	names := []string{
		"sdk_key", "sdk_key_file", "sdk_key_env", "mode", "payload_filter", "start_wait", "store", "store_mode", "streaming",
		"polling", "file", "big_segments", "endpoints", "events", "http", "application",
	}
	for _, name := range names {
		for _, value := range []string{
			"%s", "[%s]", "{%s: %s}", "{a: %s}", "*%s", "!%s x", "!!int %s", "[%s", "{%s", "'%s", "\"%s", "%s: %s", "%%%s", "@%s", "`%s",
			"|%s", "&%s x", "redis://u:%s@h:port", "redis://u:%s%%zz@h", "redis://u:12/%s@h", "redis://u:12?%s@h", "redis://u:12#%s@h",
			"redis:%s", "mysql://u:%s@h", "http://u:%s@h?x=y", "ftp://u:%s@h", "x\x01%s", "\xff%s", "\n%s", "\n  %s: x", "\n- %s", "~ %s",
		} {
			entry := name + ": " + strings.ReplaceAll(strings.ReplaceAll(value, "%%", "%"), "%s", theSecret)
			files = append(files, entry+"\nunknown: x", "unknown: x\n"+entry)
		}
	}
	for _, text := range []string{"sdk_key:%s", "%s", "%s: x", "mode: polling\nsdk_key:%s", "{sdk_key:%s}", "events: {%s}", "- %s",
		"events:\n  %s: 1", "events: {private_attributes: [/a//%s]}", "? %s\n: x", "%%YAML %s\n---\n", "%%TAG ! %s\n---\n", "--- %s",
		"a: b\n--- %s", "big_segments: {store: 'redis://%s@h:port'}", "big_segments: {cache_size: %s}", "http: {proxy: '%s'}",
		"http: {proxy: 'ftp://u:%s@h'}", "endpoints: {base: 'u:%s@h'}", "application: {id: '%s/x'}", "sdk_key: %s\nsdk_key: %s",
		"sdk_key: %s\nsdk_key_file: %s", "sdk_key: '%s x'", "sdk_key: \"%s\\n\"\nevents: {capacity: 0}", "<<: {sdk_key: %s}",
		"unknown: &x %s\nsdk_key: *x"} {
		files = append(files, strings.ReplaceAll(strings.ReplaceAll(text, "%%", "%"), "%s", theSecret)+"\n")
	}
	return files
}

func TestRead_Errors_ShowNoSecret(t *testing.T) {
	for _, file := range secretPlaces() {
		_, err := config.Read("cleat.yaml", options(file))
		require.Error(t, err, file)
		requireHidden(t, messages(err), theSecret)
		require.Contains(t, err.Error(), "config: ", file)
	}
}

func TestRead_ErrorsOfTheEnvironment_ShowNoSecret(t *testing.T) {
	all := read(t, everything)
	require.NotEmpty(t, all)
	for _, variable := range []string{
		"SDK_KEY", "SDK_KEY_FILE", "SDK_KEY_ENV", "MODE", "PAYLOAD_FILTER", "START_WAIT", "STREAMING_READ_TIMEOUT", "POLLING_INTERVAL",
		"FILE_PATHS", "FILE_RELOAD", "STORE", "STORE_MODE", "BIG_SEGMENTS_STORE", "BIG_SEGMENTS_CACHE_SIZE", "ENDPOINTS_BASE",
		"EVENTS_ENABLED", "EVENTS_CAPACITY", "EVENTS_PRIVATE_ATTRIBUTES", "HTTP_PROXY", "HTTP_CONNECT_TIMEOUT", "APPLICATION_ID",
	} {
		for _, value := range []string{"", "x ", "redis://u:", "mysql://u:", "http://u:12/", "/a//", ","} {
			_, err := config.Read("cleat.yaml", options("mode: never", "CLEAT_"+variable+"="+value+theSecret+"@host:port"))
			requireHidden(t, messages(err), theSecret)
		}
	}
}

func TestLoad_Errors_ShowNoSecret(t *testing.T) {
	for _, file := range []string{
		"sdk_key_file: " + theSecret,
		"sdk_key_env: A_" + strings.ReplaceAll(theSecret, "-", "_"),
		"sdk_key: k\nstore: redis://u:" + theSecret + "@h?pool_size=many",
		"sdk_key: k\nstore: redis://u:" + theSecret + "@h?cache=never",
		"sdk_key: k\nstore: redis://h?password=" + theSecret,
		"sdk_key: k\nstore: redis://h?password_file=" + theSecret,
		"sdk_key: k\nstore: redis://h?password_env=" + theSecret,
		"sdk_key: k\nstore: redis://h?read_timeout=" + theSecret,
		"sdk_key: k\nstore: redis://h?capacity=" + theSecret,
		"sdk_key: k\nstore: redis://h?cache=" + theSecret,
		"sdk_key: k\nstore: redis://h?watch=" + theSecret,
		"sdk_key: k\nstore: redis://h?pool_size=" + theSecret,
		"sdk_key: k\nstore: rediss://h?ca_file=" + theSecret,
		"sdk_key: k\nstore: rediss://h?cert_file=" + theSecret + "&key_file=" + theSecret,
		"sdk_key: k\nstore: consul://h?token_file=" + theSecret,
		"sdk_key: k\nstore: consul://h?token_env=" + theSecret,
		"sdk_key: k\nstore: consul://h?consistency=" + theSecret,
		"sdk_key: k\nstore: dynamodb://t?consistency=" + theSecret,
		"sdk_key: k\nstore: consul://" + theSecret + "@h",
		"sdk_key: k\nbig_segments: {store: 'redis://u:" + theSecret + "@h?x=y'}",
	} {
		_, err := config.Load(t.Context(), "cleat.yaml", options(file))
		require.Error(t, err, file)
		requireHidden(t, messages(err), theSecret)
		requireHidden(t, messages(err), strings.ReplaceAll(theSecret, "-", "_"))
	}
	_, err := config.Load(t.Context(), "cleat.yaml", options("sdk_key_file: "+theSecret))
	require.ErrorIs(t, err, fs.ErrNotExist, "the cause is there all the same")
	_, isPathError := errors.AsType[*fs.PathError](errors.Unwrap(err))
	require.False(t, isPathError)
}

// FuzzRead_Errors_ShowNoSecret puts the secret anywhere into a text.
func FuzzRead_Errors_ShowNoSecret(f *testing.F) {
	for i := 0; i < len(everything); i += 7 {
		f.Add(everything, i)
	}
	f.Fuzz(func(t *testing.T, text string, at int) {
		if at < 0 || at > len(text) {
			at = 0
		}
		_, err := config.Read("cleat.yaml", options(text[:at]+theSecret+text[at:]))
		if err != nil {
			require.NotContains(t, err.Error(), theSecret)
		}
	})
}
