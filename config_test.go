package cleat

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/datasystem"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/internal/mockservice"
	"github.com/cleatdev/cleat/memorystore"
)

func TestNew_FactoryMakesNothing_IsInvalid(t *testing.T) {
	for name, config := range map[string]Config{
		"data source": {DataSource: func(core.ClientSettings, core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
			return nil, nil //nolint:nilnil // what is tested
		}},
		"events": {
			DataSource: (&manualSource{}).factory,
			Events:     func(core.ClientSettings) (core.EventProcessor, error) { return nil, nil }, //nolint:nilnil // what is tested
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := &closeCounter{FeatureStoreCore: memorystore.New(nil, nil)}
			config.Store = store
			client, err := New(t.Context(), config)
			require.Nil(t, client)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.EqualValues(t, 1, store.closed.Load())
		})
	}
}

// A configuration that cannot be used is refused at once, whatever the service does meanwhile.
func TestNew_DataSourceCannotBeMade_WaitsForNoEvents(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		service.Next(mockservice.DiagnosticPath, mockservice.Hang)
		config := serviceConfig(service)
		config.DataSource = func(core.ClientSettings, core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
			return nil, errors.New("no such source")
		}
		began := time.Now()
		_, err := New(t.Context(), config)
		require.ErrorContains(t, err, "no such source")
		require.Less(t, time.Since(began), stopLimit/2)
		time.Sleep(time.Minute) // what is under way ends
	})
}

func TestConfig_Printed_ShowsNoSecret(t *testing.T) {
	config := Config{SDKKey: "s3cr3t", HTTP: HTTPOptions{
		ProxyURL: "http://u:s3cr3t@proxy", Header: http.Header{"X-Token": {"s3cr3t"}},
	}}
	settings := core.ClientSettings{SDKKey: "s3cr3t", Headers: config.HTTP.Header}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("made", "config", config, "settings", settings, "http", config.HTTP)
	}
	for _, value := range []any{config, &config, settings, &settings, config.HTTP, &config.HTTP} {
		fmt.Fprintf(&log, "%v %+v %#v %s", value, value, value, value)
	}
	require.NotContains(t, log.String(), "s3cr3t")
}

func TestNew_InvalidConfig_NamesEveryFaultAndClosesTheStore(t *testing.T) {
	source := (&manualSource{}).factory
	for _, tc := range []struct {
		name   string
		config Config
		wants  []string
	}{
		{"nothing", Config{}, []string{"no SDKKey"}},
		{"nothing but a store", Config{Store: memorystore.New(nil, nil)}, []string{"no SDKKey", "set Daemon"}},
		{"daemon without a store", Config{Daemon: true}, []string{"no Store to read"}},
		{"daemon with a data source", Config{Daemon: true, Store: memorystore.New(nil, nil), DataSource: source}, []string{"DataSource, and Daemon"}},
		{"an SDK key with a line end", Config{SDKKey: "sdk-1\n"}, []string{"SDKKey contains"}},
		{"an SDK key in quotes", Config{SDKKey: `"sdk-1"`}, []string{"SDKKey contains", "quotes"}},
		{"a hook that is nil", Config{SDKKey: "a", Hooks: []Hook{nil}}, []string{"Hooks[0] is nil"}},
		{"read-only memory", Config{DataSource: source, StoreMode: core.DataStoreModeReadOnly}, []string{"there is no Store"}},
		{"two stores", Config{SDKKey: "a", Store: memorystore.New(nil, nil), FeatureStore: &ownStore{MemoryStore: datasystem.NewMemoryStore()}}, []string{"both a Store and a FeatureStore"}},
		{"unknown mode", Config{StoreMode: 9}, []string{"no SDKKey", "StoreMode 9 is unknown"}},
		{"cache", Config{Daemon: true, Store: memorystore.New(nil, nil), Cache: caching.Options{Capacity: -1}}, []string{"Capacity -1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var store *closeCounter
			if tc.config.Store != nil {
				store = &closeCounter{FeatureStoreCore: tc.config.Store}
				tc.config.Store = store
			}
			client, err := New(t.Context(), tc.config)
			require.Nil(t, client)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.NotContains(t, err.Error(), strings.Repeat("cleat: ", 2))
			for _, want := range tc.wants {
				require.ErrorContains(t, err, want)
			}
			if store != nil {
				require.EqualValues(t, 1, store.closed.Load())
				require.ErrorIs(t, err, errClosing)
			}
		})
	}
}

func TestNew_NilContext_IsInvalid(t *testing.T) {
	store := &closeCounter{FeatureStoreCore: memorystore.New(nil, nil)}
	client, err := New(nil, Config{Daemon: true, Store: store})
	require.Nil(t, client)
	require.ErrorIs(t, err, core.ErrInvalid)
	require.EqualValues(t, 1, store.closed.Load())
}

func TestNew_DataSourceCannotBeMade_ClosesTheStore(t *testing.T) {
	store := &closeCounter{FeatureStoreCore: memorystore.New(nil, nil)}
	broken := errors.New("no such source")
	client, err := New(t.Context(), Config{Store: store, DataSource: func(core.ClientSettings, core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
		return nil, broken
	}})
	require.Nil(t, client)
	require.ErrorIs(t, err, broken)
	require.EqualValues(t, 1, store.closed.Load())
}

// The description has what the components say of themselves.
func TestConfig_Diagnostics_DescribesTheComponents(t *testing.T) {
	source := describedSource{manualSource: &manualSource{}}
	config := Config{Store: memorystore.New(nil, nil)}
	description := config.diagnostics(source)
	require.Equal(t, ldvalue.String("memory"), description.GetByKey("dataStoreType"))
	require.Equal(t, ldvalue.Bool(true), description.GetByKey("streamingDisabled"))
	require.Equal(t, ldvalue.String("custom"), (&Config{FeatureStore: &ownStore{}}).diagnostics(nil).GetByKey("dataStoreType"))
	require.Equal(t, ldvalue.String("memory"), (&Config{}).diagnostics(nil).GetByKey("dataStoreType"))
}

type describedSource struct{ *manualSource }

func (describedSource) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.ObjectBuild().SetBool("streamingDisabled", true).Build()
}

// One line says what the client is made of.
func TestNew_LogsWhatTheClientIsMadeOf(t *testing.T) {
	for want, config := range map[string]Config{
		"source=cleat store=memory": {},
		"source=cleat store=memorystore cache=15s store_mode=read-only": {
			Store: memorystore.New(nil, nil), StoreMode: core.DataStoreModeReadOnly,
		},
		`source="none, daemon mode" store=memorystore`: {Store: memorystore.New(nil, nil), Daemon: true},
		`source="none, offline" store=memory`:          {Offline: true},
	} {
		var log bytes.Buffer
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
		if !config.Daemon && !config.Offline {
			config.DataSource = (&manualSource{first: flagtest.Items(t)}).factory
		}
		client, err := New(t.Context(), config)
		require.NoError(t, err)
		require.NoError(t, client.Close())
		require.Contains(t, log.String(), "version="+Version+" "+want)
	}
}

func TestConfig_Header_NamesClientApplicationAndWrapper(t *testing.T) {
	config := Config{
		Logger:      slog.New(slog.DiscardHandler),
		Application: Application{ID: "shop", Version: "1.0"},
		Wrapper:     Wrapper{Name: "frame", Version: "2"},
		HTTP:        HTTPOptions{Header: http.Header{"X-Own": {"a"}, "User-Agent": {"not mine"}}},
	}
	header := config.header()
	require.Equal(t, "cleat/"+Version, header.Get("User-Agent"))
	require.Equal(t, "application-id/shop application-version/1.0", header.Get("X-LaunchDarkly-Tags"))
	require.Equal(t, "frame/2", header.Get("X-LaunchDarkly-Wrapper"))
	require.Equal(t, "a", header.Get("X-Own"))
	require.NotEmpty(t, header.Get("X-LaunchDarkly-Instance-Id"))
	require.NotEqual(t, header.Get("X-LaunchDarkly-Instance-Id"), config.header().Get("X-LaunchDarkly-Instance-Id"))
	require.Equal(t, []string{"not mine"}, config.HTTP.Header["User-Agent"], "what the application passed in was changed")
}

func TestConfig_Header_LeavesOutWhatTheServiceRefuses(t *testing.T) {
	var log bytes.Buffer
	config := Config{
		Logger:      slog.New(slog.NewTextHandler(&log, nil)),
		Application: Application{ID: "my shop", Version: strings.Repeat("1", 65)},
		Wrapper:     Wrapper{Version: "2"},
	}
	header := config.header()
	require.NotContains(t, header, "X-Launchdarkly-Tags")
	require.NotContains(t, header, "X-Launchdarkly-Wrapper", "a version without a name says nothing")
	require.Contains(t, log.String(), "application-id")
	require.Contains(t, log.String(), "application-version")
	config.Wrapper = Wrapper{Name: "two\nlines"}
	require.NotContains(t, config.header(), "X-Launchdarkly-Wrapper")
	config.Wrapper, config.Application = Wrapper{Name: "plain"}, Application{Version: "1"}
	require.Equal(t, "plain", config.header().Get("X-LaunchDarkly-Wrapper"))
	require.Equal(t, "application-version/1", config.header().Get("X-LaunchDarkly-Tags"))
}
