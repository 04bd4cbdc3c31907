package sourcetest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/internal/mockservice"
	"github.com/cleatdev/cleat/internal/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRig_RunsADataSourceInFakeTime(t *testing.T) {
	sourcetest.InBubble(t, mockservice.PollPath, func(r *sourcetest.Rig) {
		r.Start(polling.Source(polling.Options{}), r.Service.Settings())
		require.Len(t, r.Requests(), 1)
		r.RequireState(core.DataSourceValid)
		r.RequireFlag("a", sourcetest.Flag("a", 1))

		r.Service.SetData(sourcetest.FlagData(2))
		r.AwaitRequests(2)
		r.RequireFlag("a", sourcetest.Flag("a", 2))
		require.GreaterOrEqual(t, r.Gap(), polling.DefaultInterval)

		r.Service.Next(mockservice.PollPath, mockservice.Status(503))
		began := time.Now()
		r.AwaitRequests(3)
		require.Positive(t, time.Since(began))
		r.RequireInterrupted(core.DataSourceErrorResponse, "503")
	})
}
