package streaming_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a data source between a service and a sink. Everything happens inside a bubble, in fake time.
type rig struct {
	t       *testing.T
	service *mockservice.Service
	sink    *mockservice.Sink
	source  core.UpdateProcessor
	options streaming.Options
	adapt   func(*core.ClientSettings)
}

// flag returns a flag that differs from version to version.
func flag(key string, version int) string {
	return fmt.Sprintf(`{"key":%q,"version":%d,"on":true,"unknown":{"to":["cleat",1.50]}}`, key, version)
}

func flagData(version int) string {
	return fmt.Sprintf(`{"flags":{"a":%s},"segments":{"s":{"key":"s","version":1}}}`, flag("a", version))
}

// inBubble runs the test in a bubble, with a source that is not started.
func inBubble(t *testing.T, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, service: mockservice.New(t), sink: mockservice.NewSink()}
		r.service.SetData(flagData(1))
		test(r)
		if r.source != nil {
			r.stop()
		}
	})
}

// start makes the source and starts it, and waits until nothing moves any more without time passing.
func (r *rig) start() {
	r.t.Helper()
	settings := r.service.Settings()
	if r.adapt != nil {
		r.adapt(&settings)
	}
	source, err := streaming.Source(r.options)(settings, r.sink)
	require.NoError(r.t, err)
	r.source = source
	source.Start(r.t.Context())
	synctest.Wait()
}

func (r *rig) stop() {
	r.t.Helper()
	r.source.Stop()
	<-r.source.Done()
	require.Equal(r.t, core.DataSourceOff, r.sink.Last().State)
	require.Zero(r.t, r.sink.Listeners())
}

// pass lets time pass, and then everything come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) send(name, data string) {
	r.t.Helper()
	r.service.Send(name, data)
	synctest.Wait()
}

func (r *rig) requireState(state core.DataSourceState) {
	r.t.Helper()
	require.Equal(r.t, state, r.sink.Last().State, "%v", r.sink.Last().Err)
}

// requireInterrupted requires that the source is interrupted with an error that contains all the texts.
func (r *rig) requireInterrupted(kind core.DataSourceErrorKind, texts ...string) core.DataSourceErrorInfo {
	r.t.Helper()
	r.requireState(core.DataSourceInterrupted)
	info := r.sink.Last().Err
	require.Equal(r.t, kind, info.Kind, info.Message)
	require.NotZero(r.t, info.Time)
	require.NotContains(r.t, info.Message, mockservice.SDKKey)
	for _, text := range texts {
		require.Contains(r.t, info.Message, text)
	}
	return info
}

func (r *rig) requireFlag(key, text string) {
	r.t.Helper()
	require.Equal(r.t, text, r.sink.Items()["features/"+key])
}

// requests returns how many times the source has connected.
func (r *rig) requests() int { return len(r.service.Requests(mockservice.StreamPath)) }

// gap returns the time between the last two requests.
func (r *rig) gap() time.Duration {
	r.t.Helper()
	requests := r.service.Requests(mockservice.StreamPath)
	require.GreaterOrEqual(r.t, len(requests), 2)
	return requests[len(requests)-1].Time.Sub(requests[len(requests)-2].Time)
}

// awaitRequests lets time pass until the source has connected that many times.
func (r *rig) awaitRequests(count int) {
	r.t.Helper()
	const step, limit = 100 * time.Millisecond, 10 * time.Minute
	for began := time.Now(); r.requests() < count; pass(step) {
		require.Less(r.t, time.Since(began), limit, "request %d does not come", count)
	}
	synctest.Wait()
}

// newSource makes a source with the default options, for tests in real time.
func newSource(t testing.TB, service *mockservice.Service, sink *mockservice.Sink) core.UpdateProcessor {
	t.Helper()
	source, err := streaming.Source(streaming.Options{})(service.Settings(), sink)
	require.NoError(t, err)
	return source
}
