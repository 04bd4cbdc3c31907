package cleat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/mockservice"
	"github.com/cleatdev/cleat/memorystore"
)

func TestClient_Close_WhileListenersAreAdded(t *testing.T) {
	for range 200 {
		client, err := New(t.Context(), Config{Daemon: true, Store: memorystore.New(nil, nil)})
		require.NoError(t, err)
		var adding sync.WaitGroup
		for range 4 {
			adding.Go(func() {
				for range 20 {
					client.FlagTracker().AddFlagChangeListener(func(core.FlagChange) {})()
				}
			})
		}
		require.NoError(t, client.Close())
		adding.Wait()
	}
}

// twice returns flags of which each but the last has the next one as a prerequisite two times.
func twice(t testing.TB, flags int) []core.Collection {
	t.Helper()
	var data []string
	for i := range flags {
		key, next := fmt.Sprintf("f%d", i), fmt.Sprintf("f%d", i+1)
		prerequisites := fmt.Sprintf(`{"key":%q,"variation":0},{"key":%q,"variation":0}`, next, next)
		if i == flags-1 {
			prerequisites = ""
		}
		data = append(data, key, fmt.Sprintf(
			`{"key":%q,"version":1,"on":true,"fallthrough":{"variation":0},"variations":["x"],"prerequisites":[%s]}`, key, prerequisites))
	}
	return items(t, data...)
}

// A few kilobytes of flags would otherwise take years.
func TestClient_Variation_PrerequisitesThatDouble_EndSoon(t *testing.T) {
	var sent eventLog
	client, _ := newTestClientWith(t, twice(t, 60), Config{Events: sent.factory})
	value, detail := client.StringVariationDetail(t.Context(), "f0", user, "default")
	require.Equal(t, "default", value)
	require.Equal(t, ldreason.EvalErrorMalformedFlag, detail.Reason.GetErrorKind())
	require.Less(t, len(sent.events), 2*maxReads)
	require.Equal(t, "x", client.StringVariation(t.Context(), "f55", user, "default"), "what is meant to be is not affected")
}

func TestClient_Variation_SegmentsThatDouble_EndSoon(t *testing.T) {
	data := []string{"flag", `{"key":"flag","version":1,"on":true,"variations":["in","out"],"fallthrough":{"variation":1},` +
		`"rules":[{"variation":0,"clauses":[{"op":"segmentMatch","values":["segment0"]}]}]}`}
	for i := range 60 {
		key, next := fmt.Sprintf("segment%d", i), fmt.Sprintf("segment%d", i+1)
		clause := fmt.Sprintf(`{"clauses":[{"op":"segmentMatch","values":[%q]}]}`, next)
		data = append(data, key, fmt.Sprintf(`{"key":%q,"version":1,"rules":[%s,%s]}`, key, clause, clause))
	}
	client, _ := newTestClient(t, items(t, data...))
	_, detail := client.StringVariationDetail(t.Context(), "flag", user, "default")
	require.Equal(t, ldreason.EvalErrorMalformedFlag, detail.Reason.GetErrorKind())
}

// An evaluation that takes long ends with its context.
func TestClient_Variation_ContextEndsWhileEvaluating(t *testing.T) {
	client, _ := newTestClient(t, twice(t, 12)) // some thousand reads
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, detail := client.StringVariationDetail(ctx, "f0", user, "default")
	require.Equal(t, ldreason.EvalErrorException, detail.Reason.GetErrorKind())
	require.Equal(t, "x", client.StringVariation(t.Context(), "f0", user, "default"))
}

// strange is a transport as instrumentation puts into http.DefaultTransport.
type strange struct{ http.RoundTripper }

func TestNew_DefaultTransportIsReplaced_MakesItsOwn(t *testing.T) {
	old := http.DefaultTransport
	http.DefaultTransport = strange{old}
	defer func() { http.DefaultTransport = old }()
	client, _ := newTestClient(t, items(t, "a", onFlag("a", 1, "true")))
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
}

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

// A data source that says it is valid and has not delivered anything is waited for all the same.
func TestNew_SourceIsValidWithoutData_IsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &manualSource{}
		began := time.Now()
		client, err := New(t.Context(), Config{
			Logger: slog.New(slog.DiscardHandler), StartWait: time.Minute,
			DataSource: func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
				sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
				return source.factory(settings, sink)
			},
		})
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(began))
		require.NoError(t, client.Close())
	})
}

// panicking is an event processor that breaks.
type panicking struct{ events.Discarding }

func (*panicking) Send(core.Event) { panic("rotten") }

func TestClient_EventProcessorPanics_ConcernsNobody(t *testing.T) {
	var log bytes.Buffer
	client, _ := newTestClientWith(t, items(t, "a", onFlag("a", 1, "true")), Config{
		Events: func(core.ClientSettings) (core.EventProcessor, error) { return &panicking{}, nil },
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
	require.NoError(t, client.Track(t.Context(), "e", user))
	require.Contains(t, log.String(), "rotten")
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

func TestClient_AllFlagsState_NilOption_IsIgnored(t *testing.T) {
	client, _ := newTestClient(t, items(t, "a", onFlag("a", 1, "true")))
	require.Equal(t, ldvalue.Bool(true), client.AllFlagsState(t.Context(), user, nil).Value("a"))
}
