package polling_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/internal/mockservice"
)

var (
	errStore = errors.New("the database is gone")
	well     = core.DataStoreStatus{Available: true}
	gone     = core.DataStoreStatus{}
	stale    = core.DataStoreStatus{Available: true, Stale: true}
)

func TestSource_StoreTurnsStale_GetsWhatThereIsWithoutAPoll(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.Service.SetData(flagData(2))
		pass(time.Second)
		r.Sink.SetStoreStatus(stale)
		synctest.Wait()
		require.Equal(t, 2, r.Sink.Inits())
		r.RequireFlag("a", flag("a", 1))
		require.Len(t, r.Requests(), 1)
		r.Sink.SetStoreStatus(well)
		r.AwaitRequests(2)
		r.requireInterval(30 * time.Second)
		r.RequireFlag("a", flag("a", 2))
		require.Equal(t, 3, r.Sink.Inits())
		r.RequireState(core.DataSourceValid)
	})
}

func TestSource_StoreTurnsStale_BeforeThereIsData(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Service.Next(mockservice.PollPath, mockservice.Status(503))
		r.start()
		r.Sink.SetStoreStatus(stale)
		pass(400 * time.Millisecond)
		require.Len(t, r.Requests(), 1)
		r.AwaitRequests(2)
		pass(29 * time.Second)
		require.Equal(t, 1, r.Sink.Inits())
	})
}

// asking is a sink whose store asks for everything again whenever it has got it, and notes when that was. It plays a
// database that can be read but not written.
type asking struct {
	*mockservice.Sink

	mu      sync.Mutex
	content bool // it does not ask
	times   []time.Time
}

// begin forgets when the store asked.
func (a *asking) begin(content bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times, a.content = nil, content
}

func (a *asking) Init(ctx context.Context, data []core.Collection) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times = append(a.times, time.Now())
	err := a.Sink.Init(ctx, data)
	if !a.content {
		a.SetStoreStatus(gone)
		a.SetStoreStatus(stale)
	}
	return err
}

func (a *asking) requireGaps(t *testing.T, seconds ...time.Duration) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	require.Greater(t, len(a.times), len(seconds))
	for i, want := range seconds {
		gap := a.times[i+1].Sub(a.times[i])
		require.GreaterOrEqual(t, gap, want*time.Second/2, i)
		require.LessOrEqual(t, gap, want*time.Second, i)
	}
}

func TestSource_StoreTurnsStaleAgainAndAgain_GetsTheDataAtGrowingDelays(t *testing.T) {
	for name, refusal := range map[string]error{"refuses": errStore, "accepts": nil} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.Sink.Refuse(refusal)
				sink := &asking{Sink: r.Sink}
				source, err := polling.Source(polling.Options{})(r.Service.Settings(), sink)
				require.NoError(t, err)
				r.Source = source
				source.Start(r.T.Context())
				pass(10*time.Minute + time.Second)
				require.GreaterOrEqual(t, len(r.Requests()), 19)
				require.LessOrEqual(t, len(r.Requests()), 21)
				sink.requireGaps(t, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30)

				r.Sink.Refuse(nil)
				sink.begin(true)
				pass(2 * time.Minute)
				r.RequireState(core.DataSourceValid)
				sink.begin(false)
				r.Sink.SetStoreStatus(stale)
				pass(time.Minute)
				sink.requireGaps(t, 1, 2, 4, 8)
			})
		})
	}
}

func TestSource_StoreTurnsStale_DuringAnOutageOfTheService(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.Service.Next(mockservice.PollPath, mockservice.Status(401))
		r.AwaitRequests(2)
		r.Sink.SetStoreStatus(stale)
		synctest.Wait()
		require.Equal(t, 2, r.Sink.Inits()) // what there is
		require.Len(t, r.Requests(), 2)     // and the service is left alone
		r.RequireInterrupted(core.DataSourceErrorResponse)
		r.AwaitRequests(3)
		r.RequireState(core.DataSourceValid)
	})
}

func TestSource_StoreRefuses_MonitoredRecoversByItself(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Sink.Refuse(errStore)
		r.Sink.SetStoreStatus(gone)
		r.start()
		require.Equal(t, core.DataSourceErrorStore, r.Sink.Last().Err.Kind)
		r.AwaitRequests(3)
		require.Equal(t, core.DataSourceErrorStore, r.Sink.Last().Err.Kind)
		require.False(t, r.Source.Initialized())
		r.Sink.Refuse(nil)
		r.Sink.SetStoreStatus(well)
		synctest.Wait()
		r.RequireState(core.DataSourceValid)
		require.True(t, r.Source.Initialized())
		require.Zero(t, r.Sink.Inits())
	})
}

func TestSource_StoreRefuses_UnmonitoredGetsTheDataAtTheNextPoll(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Sink.DoNotMonitor()
		r.Sink.Refuse(errStore)
		r.start()
		r.Sink.Refuse(nil)
		r.AwaitRequests(2)
		r.RequireState(core.DataSourceValid)
		r.RequireFlag("a", flag("a", 1))
	})
}
