package events_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

func newBenchmarked(b *testing.B) core.EventProcessor {
	settings := core.ClientSettings{
		Logger:     slog.New(slog.DiscardHandler),
		HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) { return accepted(r, nil) })},
	}
	processor, err := events.Processor(events.Options{DisableDiagnostics: true})(settings)
	require.NoError(b, err)
	b.Cleanup(func() { closeWithin(b, processor, patient) })
	return processor
}

// BenchmarkProcessor_Send_Evaluation includes the allocation with which a struct becomes a core.Event.
func BenchmarkProcessor_Send_Evaluation(b *testing.B) {
	processor := newBenchmarked(b)
	event := evaluation(ldcontext.New("u"), "flag")
	b.ReportAllocs()
	for b.Loop() {
		processor.Send(event)
	}
}

func BenchmarkProcessor_Send_EvaluationParallel(b *testing.B) {
	processor := newBenchmarked(b)
	event := evaluation(ldcontext.New("u"), "flag")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			processor.Send(event)
		}
	})
}

// discardingSender is the library's sender without an HTTP client.
type discardingSender struct{}

func (discardingSender) SendEventData(ldevents.EventDataKind, []byte, int) ldevents.EventSenderResult {
	return ldevents.EventSenderResult{Success: true}
}

// BenchmarkLibrary_RecordEvaluation is what the library takes by itself for the same event.
func BenchmarkLibrary_RecordEvaluation(b *testing.B) {
	library := ldevents.NewDefaultEventProcessor(ldevents.EventsConfiguration{
		Capacity: events.DefaultCapacity, FlushInterval: events.DefaultFlushInterval, EventSender: discardingSender{},
		UserKeysCapacity: events.DefaultContextKeysCapacity, UserKeysFlushInterval: time.Hour,
	})
	b.Cleanup(func() { require.NoError(b, library.Close()) })
	event := evaluation(ldcontext.New("u"), "flag")
	data := ldevents.EvaluationData{
		BaseEvent: ldevents.BaseEvent{CreationDate: event.Time, Context: ldevents.Context(event.Context)},
		Key:       event.Key, Variation: event.Detail.VariationIndex, Value: event.Detail.Value, Default: event.Default,
		Version: event.FlagVersion,
	}
	b.ReportAllocs()
	for b.Loop() {
		library.RecordEvaluation(data)
	}
}
