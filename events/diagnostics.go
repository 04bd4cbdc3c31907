package events

import (
	"net/http"
	"strings"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"

	"github.com/cleatdev/cleat/core"
)

// recordingProcessor is a processor that delivers diagnostic events.
type recordingProcessor struct {
	*processor
	manager *ldevents.DiagnosticsManager
}

var _ core.StreamInitRecorder = (*recordingProcessor)(nil)

// RecordStreamInit implements [core.StreamInitRecorder].
func (p *recordingProcessor) RecordStreamInit(began time.Time, took time.Duration, failed bool) {
	p.manager.RecordStreamInit(ldtime.UnixMillisFromTime(began), failed, uint64(max(0, took.Milliseconds())))
}

func newDiagnosticsManager(settings core.ClientSettings, options *Options) *ldevents.DiagnosticsManager {
	return ldevents.NewDiagnosticsManager(
		ldevents.NewDiagnosticID(settings.SDKKey),
		options.describe(settings.Diagnostics),
		describeSDK(settings.Headers),
		settings.Started,
		nil,
	)
}

// describe adds what concerns events to the description of the client's configuration.
func (o *Options) describe(client ldvalue.Value) ldvalue.Value {
	return ldvalue.ValueMapBuild().SetAllFromValueMap(client.AsValueMap()).
		Set("allAttributesPrivate", ldvalue.Bool(o.AllAttributesPrivate)).
		Set("eventsCapacity", ldvalue.Int(o.Capacity)).
		Set("eventsFlushIntervalMillis", ldvalue.Int(int(o.FlushInterval.Milliseconds()))).
		Set("userKeysCapacity", ldvalue.Int(o.ContextKeysCapacity)).
		Set("userKeysFlushIntervalMillis", ldvalue.Int(int(o.ContextKeysFlushInterval.Milliseconds()))).
		Set("diagnosticRecordingIntervalMillis", ldvalue.Int(int(o.DiagnosticInterval.Milliseconds()))).
		Build().AsValue()
}

// describeSDK says what sends the events, as the headers of every request say it.
func describeSDK(headers http.Header) ldvalue.Value {
	description := ldvalue.ObjectBuild()
	set := func(property, value string) {
		if value != "" {
			description.SetString(property, value)
		}
	}
	product, _, _ := strings.Cut(headers.Get("User-Agent"), " ")
	name, version, _ := strings.Cut(product, "/")
	set("name", name)
	set("version", version)
	wrapper, wrapperVersion, _ := strings.Cut(headers.Get("X-LaunchDarkly-Wrapper"), "/")
	set("wrapperName", wrapper)
	set("wrapperVersion", wrapperVersion)
	return description.Build()
}
