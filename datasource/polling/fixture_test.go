package polling_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a data source between a service and a sink. Everything happens inside a bubble, in fake time.
type rig struct {
	t       *testing.T
	service *mockservice.Service
	sink    *mockservice.Sink
	source  core.UpdateProcessor
	options polling.Options
}

func flag(key string, version int) string {
	return fmt.Sprintf(`{"key":%q,"version":%d,"on":true,"unknown":{"to":["cleat",1.50]}}`, key, version)
}

func flagData(version int) string {
	return fmt.Sprintf(`{"flags":{"a":%s},"segments":{"s":{"key":"s","version":1}}}`, flag("a", version))
}

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

func (r *rig) start() {
	r.t.Helper()
	source, err := polling.Source(r.options)(r.service.Settings(), r.sink)
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

func (r *rig) requests() []mockservice.Request { return r.service.Requests(mockservice.PollPath) }

// requireGap requires that the last two polls were apart by a time within the bounds.
func (r *rig) requireGap(least, most time.Duration) {
	r.t.Helper()
	requests := r.requests()
	require.GreaterOrEqual(r.t, len(requests), 2)
	gap := requests[len(requests)-1].Time.Sub(requests[len(requests)-2].Time)
	require.GreaterOrEqual(r.t, gap, least)
	require.LessOrEqual(r.t, gap, most)
}

// awaitRequests lets time pass until the source has polled that many times.
func (r *rig) awaitRequests(count int) {
	r.t.Helper()
	const step, limit = 100 * time.Millisecond, 10 * time.Minute
	for began := time.Now(); len(r.requests()) < count; pass(step) {
		require.Less(r.t, time.Since(began), limit, "request %d does not come", count)
	}
	synctest.Wait()
}
