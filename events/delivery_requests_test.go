package events_test

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

func identify(key string) core.IdentifyEvent {
	return core.IdentifyEvent{EventBase: at(ldcontext.New(key))}
}

func TestProcessor_Flush_RequestHasHeaders(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	ids := map[string]bool{}
	for _, key := range []string{"a", "b"} {
		processor.Send(identify(key))
		processor.Flush()
		request := receive(t, service.posts)
		require.Equal(t, "/bulk", request.Path)
		require.Equal(t, []string{sdkKey}, request.Header.Values("Authorization"))
		require.Equal(t, "application/json", request.Header.Get("Content-Type"))
		require.Equal(t, "4", request.Header.Get("X-LaunchDarkly-Event-Schema"))
		require.Equal(t, []string{"Cleat/1.2.3"}, request.Header.Values("User-Agent"))
		require.Equal(t, []string{"wrap/4.5"}, request.Header.Values("X-LaunchDarkly-Wrapper"))
		require.Equal(t, []string{"application-id/x"}, request.Header.Values("X-LaunchDarkly-Tags"))
		require.Empty(t, request.Header.Get("Content-Encoding"))
		ids[request.Header.Get("X-LaunchDarkly-Payload-Id")] = true
	}
	require.Len(t, ids, 2)
}

func TestProcessor_Flush_GzipIsAnOption(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{EnableGzip: true})
	processor.Send(identify("a"))
	processor.Flush()
	request := receive(t, service.posts)
	require.Equal(t, "gzip", request.Header.Get("Content-Encoding"))
	require.Len(t, request.events(t)["identify"], 1)
}

func TestProcessor_Flush_BaseURIIsCompleted(t *testing.T) {
	for name, test := range map[string]struct{ settings, option, path string }{
		"settings":                  {"", "", "/bulk"},
		"settings, path and slash":  {"/relay/", "", "/relay/bulk"},
		"option, path":              {"/unused", "/a/b", "/a/b/bulk"},
		"option, path and slash":    {"/unused", "/a/b/", "/a/b/bulk"},
		"option with a slash alone": {"/unused", "/", "/bulk"},
	} {
		t.Run(name, func(t *testing.T) {
			service := newService(t)
			settings := service.settings(t)
			settings.Endpoints.Events += test.settings
			options := events.Options{DisableDiagnostics: true}
			if test.option != "" {
				options.BaseURI = service.URL + test.option
			}
			processor := newProcessorWith(t, settings, options)
			processor.Send(identify("a"))
			processor.Flush()
			require.Equal(t, test.path, receive(t, service.posts).Path)
		})
	}
}

func TestProcessor_Flush_NothingToDeliver(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	processor.Flush()
	closeWithin(t, processor, patient)
	require.Empty(t, service.posts)
}

func TestProcessor_Send_InvalidContextSpoilsNoOther(t *testing.T) {
	service := newService(t)
	settings := service.settings(t)
	output := &log{}
	settings.Logger = output.logger()
	processor := newProcessorWith(t, settings, events.Options{DisableDiagnostics: true})
	for _, invalid := range []ldcontext.Context{{}, ldcontext.New("")} {
		processor.Send(evaluation(invalid, "flag"))
		processor.Send(core.IdentifyEvent{EventBase: at(invalid)})
		processor.Send(core.CustomEvent{EventBase: at(invalid), Key: "k"})
		processor.Send(migrationEvent(invalid))
	}
	processor.Send(nil)
	processor.Send(at(ldcontext.New("no kind of event")))
	processor.Send(identify("good"))

	got := service.nextEvents(t, processor)
	require.Len(t, got, 1)
	require.Len(t, got["identify"], 1)
	require.Equal(t, 1, countLines(output, "an event is dropped"))
}

func TestProcessor_Send_WhatJSONCannotSayBecomesNull(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	context := ldcontext.NewBuilder("NaN").SetFloat64("x", math.NaN()).
		SetString("y", `"\NaN +Inf`).SetString("z", "a\xffb").Build()
	processor.Send(core.IdentifyEvent{EventBase: at(context)})
	data := ldvalue.ArrayOf(ldvalue.Float64(math.Inf(1)), ldvalue.Float64(math.Inf(-1)))
	processor.Send(core.CustomEvent{EventBase: at(context), Key: "NaN", Data: data})

	got := service.nextEvents(t, processor)
	require.Equal(t, object{"kind": "user", "key": "NaN", "x": nil, "y": `"\NaN +Inf`, "z": "a\uFFFDb"},
		got["identify"][0]["context"])
	require.Equal(t, []any{nil, nil}, got["custom"][0]["data"])
	require.Equal(t, "NaN", got["custom"][0]["key"])
}

// newDebugged returns how to find out whether a debug event is delivered for a flag that is debugged until the given
// time, if the service has said what time it is.
func newDebugged(t *testing.T, until, serviceTime time.Time) func() bool {
	service := newService(t)
	service.Answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", serviceTime.UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusAccepted)
	})
	processor := newProcessor(t, service, events.Options{})
	processor.Send(identify("a"))
	service.nextEvents(t, processor)

	event := evaluation(ldcontext.New("u"), "flag")
	event.DebugEventsUntil = ldtime.UnixMillisFromTime(until)
	return func() bool {
		processor.Send(event)
		return len(service.nextEvents(t, processor)["debug"]) > 0
	}
}

func TestProcessor_Send_DebugEventsAreDeliveredUntilTheirTime(t *testing.T) {
	now := time.Now()
	for _, serviceTime := range []time.Time{now, now.Add(-2 * time.Hour)} {
		debugged := newDebugged(t, now.Add(time.Hour), serviceTime)
		for range 10 { // it is not known when the service's answer is looked at
			require.True(t, debugged())
		}
	}
}

func TestProcessor_Send_DebugEventsEndByEitherClock(t *testing.T) {
	now := time.Now()
	require.False(t, newDebugged(t, now.Add(-time.Hour), now)())
	require.False(t, newDebugged(t, now.Add(-time.Hour), now.Add(-2*time.Hour))(), "over by the clock here")

	debugged := newDebugged(t, now.Add(time.Hour), now.Add(2*time.Hour))
	for deadline := now.Add(patient); debugged(); {
		require.True(t, time.Now().Before(deadline), "over by the service's clock")
	}
}

func TestProcessor_Send_DebugEventIsFullAndHasTheContext(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	event := evaluation(ldcontext.New("u"), "flag")
	event.DebugEventsUntil = ldtime.UnixMillisFromTime(time.Now().Add(time.Hour))
	event.RequireFullEvent = true
	processor.Send(event)
	event.SamplingRatio = ldvalue.NewOptionalInt(0)
	processor.Send(event)

	got := service.nextEvents(t, processor)
	require.Equal(t, []object{{
		"kind": "debug", "creationDate": float64(event.Time), "key": "flag", "version": 7.0, "variation": 1.0,
		"value": true, "default": false, "context": object{"kind": "user", "key": "u"},
	}}, got["debug"])
	require.Len(t, got["feature"], 1)
}
