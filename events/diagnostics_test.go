package events_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

func decode(t testing.TB, body []byte) object {
	var decoded object
	require.NoErrorf(t, json.Unmarshal(body, &decoded), "body: %s", body)
	return decoded
}

func TestProcessor_Diagnostics_DescribeTheClientAtItsStart(t *testing.T) {
	service := newService(t)
	settings := service.settings(t)
	settings.Diagnostics = ldvalue.ObjectBuild().SetBool("streamingDisabled", true).Build()
	newProcessorWith(t, settings, events.Options{})

	arrived := receive(t, service.diagnostics)
	require.Equal(t, "/diagnostic", arrived.Path)
	require.Equal(t, []string{sdkKey}, arrived.Header.Values("Authorization"))
	event := decode(t, arrived.Body)
	require.Equal(t, "diagnostic-init", event["kind"])
	require.Equal(t, object{
		"streamingDisabled": true, "allAttributesPrivate": false, "eventsCapacity": 10_000.0, "eventsFlushIntervalMillis": 3_600_000.0,
		"userKeysCapacity": 1_000.0, "userKeysFlushIntervalMillis": 300_000.0, "diagnosticRecordingIntervalMillis": 900_000.0,
	}, event["configuration"])
	require.Equal(t, object{
		"name": "Cleat", "version": "1.2.3", "wrapperName": "wrap", "wrapperVersion": "4.5",
	}, event["sdk"])
	require.NotContains(t, string(arrived.Body), sdkKey)
}

func TestProcessor_Diagnostics_CanBeDisabled(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	require.NotImplements(t, (*core.StreamInitRecorder)(nil), processor)
	closeWithin(t, processor, patient)
	require.Empty(t, service.diagnostics)
}

func TestProcessor_Diagnostics_CountPeriodically(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		diagnostics := make(chan object, 10)
		answer := func(request *http.Request) (*http.Response, error) {
			if strings.HasSuffix(request.URL.Path, "/diagnostic") {
				body, err := io.ReadAll(request.Body)
				diagnostics <- decode(t, body)
				return accepted(request, err)
			}
			return accepted(request, nil)
		}
		options := events.Options{Capacity: 2, FlushInterval: time.Hour}
		processor, err := events.Processor(options)(virtualSettings(answer))
		require.NoError(t, err)
		began := time.Now()
		require.Equal(t, "diagnostic-init", (<-diagnostics)["kind"])

		for i := range 5 {
			processor.Send(identify(strconv.Itoa(i)))
			synctest.Wait()
		}
		recorder := processor.(core.StreamInitRecorder)
		recorder.RecordStreamInit(began, 1500*time.Millisecond, true)
		recorder.RecordStreamInit(began, -time.Second, false)

		event := <-diagnostics
		require.Equal(t, events.DefaultDiagnosticInterval, time.Since(began))
		require.Equal(t, "diagnostic", event["kind"])
		require.EqualValues(t, 3, event["droppedEvents"])
		timestamp := float64(began.UnixMilli())
		require.Equal(t, []any{
			object{"timestamp": timestamp, "failed": true, "durationMillis": 1500.0},
			object{"timestamp": timestamp, "failed": false, "durationMillis": 0.0},
		}, event["streamInits"])

		event = <-diagnostics
		require.EqualValues(t, 0, event["droppedEvents"])
		require.Empty(t, event["streamInits"])
		require.NoError(t, processor.Close(t.Context()))
	})
}

func TestProcessor_Diagnostics_RefusedOnesDoNotEndDelivery(t *testing.T) {
	service := newService(t)
	service.Answer(func(w http.ResponseWriter, request *http.Request) {
		if strings.HasSuffix(request.URL.Path, "/diagnostic") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	processor := newProcessorWith(t, service.settings(t), events.Options{})
	receive(t, service.diagnostics)
	for _, key := range []string{"a", "b"} {
		processor.Send(identify(key))
		require.Len(t, service.nextEvents(t, processor)["identify"], 1)
	}
}
