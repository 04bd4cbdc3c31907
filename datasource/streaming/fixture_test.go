package streaming_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/internal/mockservice"
	"github.com/cleatdev/cleat/internal/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig has a data source with the options, for a client with adapted settings.
type rig struct {
	*sourcetest.Rig
	options streaming.Options
	adapt   func(*core.ClientSettings)
}

// Short names.
var flag, flagData, pass = sourcetest.Flag, sourcetest.FlagData, sourcetest.Pass

func inBubble(t *testing.T, test func(*rig)) {
	t.Helper()
	sourcetest.InBubble(t, mockservice.StreamPath, func(r *sourcetest.Rig) { test(&rig{Rig: r}) })
}

func (r *rig) start() {
	r.T.Helper()
	settings := r.Service.Settings()
	if r.adapt != nil {
		r.adapt(&settings)
	}
	r.Start(streaming.Source(r.options), settings)
}

func (r *rig) send(name, data string) {
	r.T.Helper()
	r.Service.Send(name, data)
	synctest.Wait()
}

// connections returns how many times the source has connected.
func (r *rig) connections() int { return len(r.Requests()) }

// newSource makes a source with the default options, for tests in real time.
func newSource(t testing.TB, service *mockservice.Service, sink *mockservice.Sink) core.UpdateProcessor {
	t.Helper()
	source, err := streaming.Source(streaming.Options{})(service.Settings(), sink)
	require.NoError(t, err)
	return source
}
