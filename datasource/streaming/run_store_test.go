package streaming_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

var (
	errStore = errors.New("the database is gone")
	well     = core.DataStoreStatus{Available: true}
	gone     = core.DataStoreStatus{}
	stale    = core.DataStoreStatus{Available: true, Stale: true}
)

func TestSource_StoreTurnsStale_EverythingIsSentAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.Service.SetData(flagData(2))
		r.Sink.SetStoreStatus(stale)
		pass(time.Second)
		require.Equal(t, 2, r.connections())
		r.RequireFlag("a", flag("a", 2))
		for _, report := range r.Sink.Reports() {
			require.Equal(t, core.DataSourceValid, report.State) // the service has done nothing wrong
		}
		r.Sink.SetStoreStatus(well)
		pass(time.Minute)
		require.Equal(t, 2, r.connections())
	})
}

func TestSource_StoreTurnsStaleAgainAndAgain_DelaysGrow(t *testing.T) {
	for name, test := range map[string]struct {
		refusal error
		outage  time.Duration
	}{
		"accepts":                  {nil, 0},
		"refuses":                  {errStore, 0},
		"refuses for some minutes": {errStore, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.Sink.Refuse(test.refusal)
				r.start()
				for i, delay := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
					pass(test.outage)
					r.turnStale(2+i, delay*time.Second)
				}
				r.Sink.Refuse(nil)
				r.turnStale(9, 30*time.Second)
				pass(59 * time.Second)
				r.turnStale(10, 30*time.Second)
				pass(time.Minute)
				r.turnStale(11, time.Second)
			})
		})
	}
}

// turnStale has the store ask for everything, and requires that the source connects for the count-th time after the delay.
func (r *rig) turnStale(count int, delay time.Duration) {
	r.T.Helper()
	began := time.Now()
	r.Sink.SetStoreStatus(gone)
	r.Sink.SetStoreStatus(stale)
	r.AwaitRequests(count)
	requests := r.Requests()
	took := requests[count-1].Time.Sub(began)
	require.GreaterOrEqual(r.T, took, delay/2)
	require.LessOrEqual(r.T, took, delay)
}

func TestSource_StoreRefusesInit_MonitoredRecoversByItself(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Sink.Refuse(errStore)
		r.Sink.SetStoreStatus(gone)
		r.start()
		r.requireRefused()
		require.False(t, r.Source.Initialized())
		pass(time.Minute)
		require.Equal(t, 1, r.connections())

		r.Sink.Refuse(nil)
		r.Sink.SetStoreStatus(well) // it has kept the data and written it
		synctest.Wait()
		r.RequireState(core.DataSourceValid)
		require.True(t, r.Source.Initialized())
		require.Equal(t, 1, r.connections())
	})
}

func TestSource_StoreRefusesInit_MonitoredAsksAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Sink.Refuse(errStore)
		r.Sink.SetStoreStatus(gone)
		r.start()
		r.Sink.Refuse(nil)
		r.Sink.SetStoreStatus(stale)
		pass(time.Second)
		require.Equal(t, 2, r.connections())
		r.RequireState(core.DataSourceValid)
		r.RequireFlag("a", flag("a", 1))
	})
}

func TestSource_StoreRefusesUpsert_MonitoredGoesOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.Sink.Refuse(errStore)
		r.send("patch", `{"path":"/flags/a","data":`+flag("a", 2)+`}`)
		r.requireRefused()
		pass(time.Minute)
		require.Equal(t, 1, r.connections())
		r.Sink.Refuse(nil)
		r.send("patch", `{"path":"/flags/a","data":`+flag("a", 3)+`}`)
		r.RequireFlag("a", flag("a", 3))
		r.Sink.SetStoreStatus(well)
		synctest.Wait()
		r.RequireState(core.DataSourceValid)
	})
}

func TestSource_StoreRefuses_UnmonitoredConnectsAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Sink.DoNotMonitor()
		r.Sink.Refuse(errStore)
		r.start()
		r.requireRefused()
		r.AwaitRequests(3)
		require.False(t, r.Source.Initialized())
		r.Sink.Refuse(nil)
		r.AwaitRequests(4)
		r.RequireState(core.DataSourceValid)

		r.Sink.Refuse(errStore)
		r.send("delete", `{"path":"/flags/a","version":2}`)
		r.Sink.Refuse(nil)
		r.AwaitRequests(5)
		r.RequireState(core.DataSourceValid)
	})
}

func TestSource_StoreRefusesOneItem_GoesOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.Sink.Refuse(&core.ItemError{Kind: core.Flags, Key: "a", Err: core.ErrTooLarge})
		r.send("patch", `{"path":"/flags/a","data":`+flag("a", 2)+`}`)
		r.RequireState(core.DataSourceValid)
		require.Equal(t, 1, r.connections())
	})
}

func TestSource_StoreChangesWhileDisconnected_WaitsForTheService(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Service.Next("/all", respond(401))
		r.start()
		r.Sink.SetStoreStatus(gone)
		r.Sink.SetStoreStatus(stale)
		pass(time.Minute)
		require.Equal(t, 1, r.connections())
		r.AwaitRequests(2)
		pass(time.Minute)
		require.Equal(t, 2, r.connections()) // what was sent is what the store had asked for
		require.Equal(t, 1, r.Sink.Inits())
	})
}

// requireRefused requires that the last thing that was reported is the store's refusal.
func (r *rig) requireRefused() {
	r.T.Helper()
	require.Equal(r.T, core.DataSourceInterrupted, r.Sink.Last().State)
	require.Equal(r.T, core.DataSourceErrorStore, r.Sink.Last().Err.Kind)
}
