package sourcetest

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockservice"
)

// Rig is a data source between a service and a sink. [InBubble] makes one.
type Rig struct {
	T       *testing.T
	Service *mockservice.Service
	Sink    *mockservice.Sink
	// Source is nil until it is started. It is stopped when the test ends.
	Source core.UpdateProcessor

	path string // of the requests that the data source makes
}

// Flag returns a flag that differs from version to version.
func Flag(key string, version int) string {
	return fmt.Sprintf(`{"key":%q,"version":%d,"on":true,"unknown":{"to":["cleat",1.50]}}`, key, version)
}

// FlagData returns an environment with the flag "a" in that version, and the segment "s".
func FlagData(version int) string {
	return fmt.Sprintf(`{"flags":{"a":%s},"segments":{"s":{"key":"s","version":1}}}`, Flag("a", version))
}

// Pass lets time pass, and then everything come to rest.
func Pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // inside a bubble, where it moves a fake clock
	synctest.Wait()
}

// InBubble runs the test in a bubble, with a data source that is not started. path is that of the requests it will make.
func InBubble(t *testing.T, path string, test func(*Rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &Rig{T: t, Service: mockservice.New(t), Sink: mockservice.NewSink(), path: path}
		r.Service.SetData(FlagData(1))
		test(r)
		if r.Source != nil {
			r.Stop()
		}
	})
}

// Start makes the source and starts it, and waits until nothing moves any more without time passing.
func (r *Rig) Start(factory core.UpdateProcessorFactory, settings core.ClientSettings) {
	r.T.Helper()
	source, err := factory(settings, r.Sink)
	require.NoError(r.T, err)
	r.Source = source
	source.Start(r.T.Context())
	synctest.Wait()
}

// Stop stops the source and waits until it has ended.
func (r *Rig) Stop() {
	r.T.Helper()
	r.Source.Stop()
	<-r.Source.Done()
	require.Equal(r.T, core.DataSourceOff, r.Sink.Last().State)
	require.Zero(r.T, r.Sink.Listeners())
}

// Requests returns those that the source has made, the oldest first.
func (r *Rig) Requests() []mockservice.Request { return r.Service.Requests(r.path) }

// AwaitRequests lets time pass until the source has made that many requests.
func (r *Rig) AwaitRequests(count int) {
	r.T.Helper()
	const step, limit = 100 * time.Millisecond, 10 * time.Minute
	for began := time.Now(); len(r.Requests()) < count; Pass(step) {
		require.Less(r.T, time.Since(began), limit, "request %d does not come", count)
	}
	synctest.Wait()
}

// Gap returns the time between the last two requests.
func (r *Rig) Gap() time.Duration {
	r.T.Helper()
	requests := r.Requests()
	require.GreaterOrEqual(r.T, len(requests), 2)
	return requests[len(requests)-1].Time.Sub(requests[len(requests)-2].Time)
}
