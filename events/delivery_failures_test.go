package events_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

func countLines(output *log, text string) int { return strings.Count(output.String(), text) }

func TestProcessor_Flush_FailedDeliveryIsTriedOnceMore(t *testing.T) {
	service := newService(t)
	var requests atomic.Int32
	service.Answer(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	processor := newProcessor(t, service, events.Options{})
	processor.Send(identify("a"))
	processor.Flush()
	first, second := receive(t, service.posts), receive(t, service.posts)
	require.Equal(t, first.Body, second.Body)
	id := first.Header.Get("X-LaunchDarkly-Payload-Id")
	require.NotEmpty(t, id)
	require.Equal(t, id, second.Header.Get("X-LaunchDarkly-Payload-Id"), "the service recognises a repetition by its id")

	processor.Send(identify("b"))
	require.Len(t, service.nextEvents(t, processor)["identify"], 1)
}

func TestProcessor_Flush_HangingServiceIsGivenUp(t *testing.T) {
	service := newService(t)
	var hanging atomic.Bool
	hanging.Store(true)
	service.Answer(func(w http.ResponseWriter, request *http.Request) {
		if hanging.Load() {
			<-request.Context().Done()
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	processor := newProcessor(t, service, events.Options{RequestTimeout: 20 * time.Millisecond})
	processor.Send(identify("lost"))
	processor.Flush()
	receive(t, service.posts)
	receive(t, service.posts) // the second attempt comes only after the first has ended
	hanging.Store(false)
	processor.Send(identify("b"))
	require.Len(t, service.nextEvents(t, processor)["identify"], 1)
}

func TestProcessor_Flush_ShorterTimeoutOfTheClientCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := virtualSettings(hang)
		settings.HTTPClient.Timeout = time.Second
		processor, err := events.Processor(events.Options{DisableDiagnostics: true})(settings)
		require.NoError(t, err)
		processor.Send(identify("a"))
		began := time.Now()
		require.NoError(t, processor.Close(t.Context()))
		require.Equal(t, 2*time.Second+events.DefaultRetryDelay, time.Since(began))
		require.Equal(t, time.Second, settings.HTTPClient.Timeout, "the client is not changed")
	})
}

func TestProcessor_Flush_DefaultsOfSettings(t *testing.T) {
	service := newService(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	settings := core.ClientSettings{Endpoints: core.ServiceEndpoints{Events: service.URL}}
	processor := newProcessorWith(t, settings, events.Options{DisableDiagnostics: true})
	processor.Send(identify("a"))
	require.Len(t, service.nextEvents(t, processor)["identify"], 1)
}

func TestProcessor_Flush_EndlessAnswerIsNotRead(t *testing.T) {
	service := newService(t)
	service.Answer(func(w http.ResponseWriter, request *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		for request.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	processor := newProcessor(t, service, events.Options{RequestTimeout: time.Hour})
	processor.Send(identify("a"))
	require.Len(t, service.nextEvents(t, processor)["identify"], 1)
	closeWithin(t, processor, patient)
	require.Empty(t, service.posts, "what was accepted is not sent again")
}

func TestProcessor_Flush_UnreachableServiceIsReportedWithoutSecrets(t *testing.T) {
	service := newService(t)
	settings := service.settings(t)
	service.Close()
	output := &log{}
	settings.Logger = output.logger()
	settings.Endpoints.Events = strings.Replace(service.URL, "http://", "http://name:password@", 1)
	processor := newProcessorWith(t, settings, events.Options{})
	processor.Send(identify("a"))
	closeWithin(t, processor, patient)
	require.NotZero(t, countLines(output, "level=WARN"))
	require.NotContains(t, output.String(), "password")
	require.NotContains(t, output.String(), sdkKey[len(sdkKey)-4:], "nor a part of the key")
	require.NotContains(t, output.String(), sdkKey)
}

func TestProcessor_Send_WhatExceedsCapacityIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const capacity = 20
		posts := make(chan post, 10)
		settings := virtualSettings(func(request *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(request.Body)
			posts <- post{Body: body}
			return accepted(request, err)
		})
		output := &log{}
		settings.Logger = output.logger()
		options := events.Options{Capacity: capacity, DisableDiagnostics: true, FlushInterval: time.Hour}
		processor, err := events.Processor(options)(settings)
		require.NoError(t, err)
		for i := range capacity + 3 {
			processor.Send(identify(strconv.Itoa(i)))
			processor.Send(evaluation(ldcontext.New("0"), "flag"))
			synctest.Wait()
		}
		processor.Flush()
		got := (<-posts).events(t)
		require.Len(t, got["identify"], capacity)
		require.Len(t, got["summary"], 1)
		require.Equal(t, 1, countLines(output, "Exceeded event queue capacity"))

		processor.Send(identify("one more"))
		processor.Flush()
		require.Len(t, (<-posts).events(t)["identify"], 1)
		require.NoError(t, processor.Close(t.Context()))
	})
}

func TestProcessor_Send_NeverWaits(t *testing.T) {
	service := newService(t)
	service.Answer(func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() })
	options := events.Options{Capacity: 1, RequestTimeout: time.Hour}
	processor, err := events.Processor(options)(service.settings(t))
	require.NoError(t, err)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range 10_000 {
			processor.Send(core.CustomEvent{EventBase: at(ldcontext.New("u")), Key: strconv.Itoa(i)})
			processor.Flush()
		}
	}()
	select {
	case <-sent:
	case <-time.After(patient):
		t.Fatal("Send or Flush waits for the service")
	}
	abandon(t, processor)
}
