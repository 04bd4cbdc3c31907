package polling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/internal/mockservice"
	"github.com/cleatdev/cleat/internal/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig has a data source with the options.
type rig struct {
	*sourcetest.Rig
	options polling.Options
}

// Short names.
var flag, flagData, pass = sourcetest.Flag, sourcetest.FlagData, sourcetest.Pass

func inBubble(t *testing.T, test func(*rig)) {
	t.Helper()
	sourcetest.InBubble(t, mockservice.PollPath, func(r *sourcetest.Rig) { test(&rig{Rig: r}) })
}

func (r *rig) start() {
	r.T.Helper()
	r.Start(polling.Source(r.options), r.Service.Settings())
}

// requireGap requires that the last two polls were apart by a time within the bounds.
func (r *rig) requireGap(least, most time.Duration) {
	r.T.Helper()
	require.GreaterOrEqual(r.T, r.Gap(), least)
	require.LessOrEqual(r.T, r.Gap(), most)
}

// requireInterval requires that the last two polls were apart by the interval and at most a tenth more.
func (r *rig) requireInterval(interval time.Duration) {
	r.T.Helper()
	r.requireGap(interval, interval+interval/10)
}
