package cleat

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/mockservice"
	"github.com/cleatdev/cleat/memorystore"
)

const oneFlag = `{"flags":{"a":{"key":"a","version":1,"on":true,"fallthrough":{"variation":0},"variations":[true]}},"segments":{}}`

// serviceConfig is the configuration of a client that uses the service and is a default one otherwise.
func serviceConfig(service *mockservice.Service) Config {
	return Config{
		SDKKey: "sdk-key",
		Endpoints: core.ServiceEndpoints{
			Streaming: mockservice.URL, Polling: mockservice.URL + "/", Events: mockservice.URL,
		},
		HTTP:   HTTPOptions{Transport: service.Client().Transport},
		Logger: slog.New(slog.DiscardHandler),
	}
}

// inService runs a test in virtual time with a service that has one flag.
func inService(t *testing.T, test func(t *testing.T, service *mockservice.Service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		service := mockservice.New(t)
		service.SetData(oneFlag)
		test(t, service)
	})
}

func newServiceClient(t *testing.T, config Config) *Client {
	t.Helper()
	client, err := New(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// deliveredEvents returns the events of all payloads that the service has got, without that of the diagnostics.
func deliveredEvents(t *testing.T, service *mockservice.Service) (events []map[string]any) {
	t.Helper()
	for _, request := range service.Requests(mockservice.EventsPath) {
		var payload []map[string]any
		require.NoError(t, json.Unmarshal(request.Body, &payload))
		events = append(events, payload...)
	}
	return events
}

func kindsOf(events []map[string]any) (kinds []string) {
	for _, event := range events {
		kinds = append(kinds, event["kind"].(string))
	}
	return kinds
}

// A client that has nothing but an SDK key streams flags and delivers events.
func TestClient_ByDefault_StreamsFlagsAndDeliversEvents(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		config := serviceConfig(service)
		config.Application = Application{ID: "shop"}
		config.Wrapper = Wrapper{Name: "frame"}
		client, err := New(t.Context(), config)
		require.NoError(t, err)
		defer client.Close() //nolint:errcheck // in the good case it is closed below
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		require.NoError(t, client.Identify(t.Context(), user))
		require.NoError(t, client.Track(t.Context(), "bought", user))
		synctest.Wait() // until the stream is there for more
		service.Send("patch", `{"path":"/flags/a","data":{"key":"a","version":2,"on":false,"offVariation":1,"variations":[true,false]}}`)
		synctest.Wait()
		require.False(t, client.BoolVariation(t.Context(), "a", user, true))
		require.NoError(t, client.Close())

		stream := service.Requests(mockservice.StreamPath)
		require.Len(t, stream, 1)
		for _, request := range []mockservice.Request{stream[0], service.Requests(mockservice.EventsPath)[0]} {
			require.Equal(t, "sdk-key", request.Header.Get("Authorization"))
			require.Equal(t, "cleat/"+Version, request.Header.Get("User-Agent"))
			require.Equal(t, "application-id/shop", request.Header.Get("X-LaunchDarkly-Tags"))
			require.Equal(t, "frame", request.Header.Get("X-LaunchDarkly-Wrapper"))
			require.Equal(t, stream[0].Header.Get("X-LaunchDarkly-Instance-Id"), request.Header.Get("X-LaunchDarkly-Instance-Id"))
		}
		events := deliveredEvents(t, service)
		require.Equal(t, []string{"index", "identify", "custom", "summary"}, kindsOf(events))
		counters := events[3]["features"].(map[string]any)["a"].(map[string]any)["counters"].([]any)
		require.Len(t, counters, 2, "one for each version of the flag")
		require.NotEmpty(t, service.Requests(mockservice.DiagnosticPath))
	})
}

func TestClient_Polling_FollowsTheService(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		config := serviceConfig(service)
		config.DataSource = polling.Source(polling.Options{Interval: time.Minute})
		client := newServiceClient(t, config)
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		service.SetData(strings.Replace(oneFlag, `"version":1,"on":true`, `"version":2,"on":false,"offVariation":0`, 1))
		time.Sleep(2 * time.Minute)
		_, detail := client.BoolVariationDetail(t.Context(), "a", user, false)
		require.Equal(t, ldreason.EvalReasonOff, detail.Reason.GetKind())
		require.Empty(t, service.Requests(mockservice.StreamPath))
	})
}

// New does not wait for a service that refuses the key, or is not at the address, and a request that it answers later works
// without a restart.
func TestNew_ServiceRefuses_ReturnsAtOnceAndKeepsTrying(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		inService(t, func(t *testing.T, service *mockservice.Service) {
			service.Next(mockservice.StreamPath, mockservice.Status(status))
			config := serviceConfig(service)
			config.StartWait = time.Hour
			began := time.Now()
			client, err := New(t.Context(), config)
			require.NoError(t, err)
			require.Less(t, time.Since(began), time.Second)
			defer func() { require.NoError(t, client.Close()) }()
			require.False(t, client.BoolVariation(t.Context(), "a", user, false))
			require.Equal(t, core.DataSourceInitializing, client.DataSourceStatus().Status().State)
			require.Equal(t, status, client.DataSourceStatus().Status().LastError.HTTPStatus)
			began = time.Now()
			require.NoError(t, client.WaitFor(t.Context(), core.DataSourceValid))
			require.InDelta(t, 4*time.Minute, time.Since(began), float64(2*time.Minute), status)
			require.True(t, client.BoolVariation(t.Context(), "a", user, false))
			require.Equal(t, core.DataSourceValid, client.DataSourceStatus().Status().State)
		})
	}
}

func TestNew_ServiceHangs_ReturnsAfterStartWaitWithAClientThatWorksLater(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		service.Next(mockservice.StreamPath, mockservice.Hang)
		config := serviceConfig(service)
		config.StartWait = 3 * time.Second
		began := time.Now()
		client, err := New(t.Context(), config)
		require.NoError(t, err)
		require.Equal(t, 3*time.Second, time.Since(began))
		defer func() { require.NoError(t, client.Close()) }()
		value, detail := client.BoolVariationDetail(t.Context(), "a", user, true)
		require.True(t, value)
		require.Equal(t, ldreason.EvalErrorClientNotReady, detail.Reason.GetErrorKind())
		time.Sleep(30 * time.Minute)
		require.False(t, client.BoolVariation(t.Context(), "unknown", user, false))
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
	})
}

// What lies, breaks off or makes no sense costs nothing but the update.
func TestClient_ServiceMisbehaves_KeepsTheLastGoodData(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"a page for people":  mockservice.Text("text/html", "<html>log in</html>"),
		"half a stream":      mockservice.Break("text/event-stream", "event: put\ndata: {\"path\":\"/\",\"data\":{\"fl"),
		"no JSON":            mockservice.Text("text/event-stream", "event: put\ndata: {{{\n\n"),
		"flags are a number": mockservice.Text("text/event-stream", "event: put\ndata: {\"path\":\"/\",\"data\":{\"flags\":5}}\n\n"),
		"server error":       mockservice.Status(http.StatusInternalServerError),
		"hanging":            mockservice.Hang,
	} {
		t.Run(name, func(t *testing.T) {
			inService(t, func(t *testing.T, service *mockservice.Service) {
				client := newServiceClient(t, serviceConfig(service))
				service.Next(mockservice.StreamPath, handler, handler)
				service.Disconnect()
				time.Sleep(30 * time.Second)
				require.True(t, client.BoolVariation(t.Context(), "a", user, false))
				time.Sleep(30 * time.Minute)
				require.True(t, client.BoolVariation(t.Context(), "a", user, false))
				require.Equal(t, core.DataSourceValid, client.DataSourceStatus().Status().State)
			})
		})
	}
}

// A process that starts while the service is away answers from the database that another process has left.
func TestClient_ServiceIsAway_AnswersFromTheStore(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		db := &memorystore.Database{}
		config := serviceConfig(service)
		config.Store = memorystore.New(db, nil)
		first, err := New(t.Context(), config)
		require.NoError(t, err)
		require.NoError(t, first.Close())

		refused := mockservice.Status(http.StatusBadGateway)
		service.Next(mockservice.StreamPath, refused, refused, refused, refused, refused)
		config.Store, config.StartWait = memorystore.New(db, nil), time.Second
		second, err := New(t.Context(), config)
		require.NoError(t, err)
		defer func() { require.NoError(t, second.Close()) }()
		require.True(t, second.BoolVariation(t.Context(), "a", user, false))
	})
}

// A store that has lost everything gets everything from the service again.
func TestClient_StoreIsWiped_IsFilledFromTheServiceAgain(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		db := &memorystore.Database{}
		config := serviceConfig(service)
		config.Store, config.Cache = memorystore.New(db, nil), caching.Options{Mode: caching.TTL(time.Second)}
		client := newServiceClient(t, config)
		synctest.Wait()
		db.Wipe()
		time.Sleep(5 * time.Minute)
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		require.True(t, client.DataStoreStatus().Status().SameState(core.DataStoreStatus{Available: true}))
		_, found, err := memorystore.New(db, nil).Get(t.Context(), core.Flags, "a")
		require.NoError(t, err)
		require.True(t, found, "the database was not filled again")
	})
}

func TestClient_EnvironmentID_ReachesHooks(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		service.SetEnvironmentID("env-1")
		var calls []string
		var seen ldvalue.OptionalString
		config := serviceConfig(service)
		config.DataSource = streaming.Source(streaming.Options{})
		config.Hooks = []Hook{&scribe{name: "h", calls: &calls, after: func(e HookEvaluation, _ HookData, _ ldreason.EvaluationDetail) error {
			seen = e.EnvironmentID
			return nil
		}}}
		client := newServiceClient(t, config)
		client.BoolVariation(t.Context(), "a", user, false)
		require.Equal(t, "env-1", seen.StringValue())
	})
}

// An event service that never answers delays Close by its limit and no more, and leaks nothing.
func TestClient_Close_EventServiceHangs(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		service.Next(mockservice.EventsPath, mockservice.Hang, mockservice.Hang, mockservice.Hang)
		client, err := New(t.Context(), serviceConfig(service))
		require.NoError(t, err)
		require.NoError(t, client.Track(t.Context(), "e", user))
		began := time.Now()
		require.NoError(t, client.Close())
		require.LessOrEqual(t, time.Since(began), stopLimit)
		time.Sleep(time.Minute)
	})
}

func TestClient_Offline_TalksToNobody(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		config := serviceConfig(service)
		config.Offline = true
		client, err := New(t.Context(), config)
		require.NoError(t, err)
		require.False(t, client.BoolVariation(t.Context(), "a", user, false))
		require.NoError(t, client.Track(t.Context(), "e", user))
		client.Flush()
		time.Sleep(time.Hour)
		require.NoError(t, client.Close())
		for _, path := range []string{
			mockservice.StreamPath, mockservice.PollPath, mockservice.EventsPath, mockservice.DiagnosticPath,
		} {
			require.Empty(t, service.Requests(path))
		}
	})
}

func TestNew_ContextEndsWhileWaiting_ReturnsTheClient(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		service.Next(mockservice.StreamPath, mockservice.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		client, err := New(ctx, serviceConfig(service))
		require.NoError(t, err)
		require.NoError(t, client.Close())
	})
}

// A key that is replaced while the client runs authorizes what is sent from then on.
func TestClient_CurrentSDKKey_AuthorizesEveryRequest(t *testing.T) {
	inService(t, func(t *testing.T, service *mockservice.Service) {
		var key atomic.Value
		key.Store("first")
		config := serviceConfig(service)
		config.SDKKey, config.CurrentSDKKey = "", func() string { return key.Load().(string) }
		config.DataSource = polling.Source(polling.Options{Interval: time.Minute})
		client := newServiceClient(t, config)
		authorizations := func(path string) (keys []string) {
			for _, request := range service.Requests(path) {
				keys = append(keys, request.Header.Get("Authorization"))
			}
			return keys
		}
		hash := client.SecureModeHash(user)
		client.BoolVariation(t.Context(), "a", user, false)
		client.Flush()
		synctest.Wait()
		key.Store("second")
		require.NotEqual(t, hash, client.SecureModeHash(user))
		time.Sleep(time.Minute * 11 / 10) // what may be added to the interval included
		client.BoolVariation(t.Context(), "a", user, false)
		client.Flush()
		synctest.Wait()
		require.Equal(t, []string{"first", "second"}, authorizations(mockservice.PollPath))
		sent := authorizations(mockservice.EventsPath)
		require.Equal(t, "first", sent[0])
		require.Equal(t, "second", sent[len(sent)-1])
	})
}

func TestNew_CurrentSDKKey_IsChecked(t *testing.T) {
	for _, key := range []string{"", "a\nb"} {
		_, err := New(t.Context(), Config{CurrentSDKKey: func() string { return key }})
		require.ErrorIs(t, err, core.ErrInvalid)
	}
}

// A client keeps the JSON of flags that it was sent, and not their models, which take several times that, before a caller
// evaluates them.
func TestClient_FlagsThatNobodyEvaluates_TakeLittleMemory(t *testing.T) {
	const flags = 2000
	var data strings.Builder
	oneLine := strings.Join(strings.Fields(ruled), "")
	data.WriteString(`{"segments":{},"flags":{`)
	for i := range flags {
		if i > 0 {
			data.WriteByte(',')
		}
		key := fmt.Sprint("flag-", i)
		fmt.Fprintf(&data, `%q:%s`, key, strings.ReplaceAll(oneLine, `"ruled"`, strconv.Quote(key)))
	}
	data.WriteString(`}}`)
	inService(t, func(t *testing.T, service *mockservice.Service) {
		service.SetData(data.String())
		config := serviceConfig(service)
		config.Events = events.Off()
		client := newServiceClient(t, config)
		synctest.Wait()
		before := liveHeap()
		state := client.AllFlagsState(t.Context(), user) // decodes them
		require.Len(t, state.Values(), flags)
		models := liveHeap() - before
		runtime.KeepAlive(state)
		require.Greater(t, models/flags, uint64(1500), "nothing had been decoded before")
	})
}

func liveHeap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
