package streaming_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockservice"
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
		r.service.SetData(flagData(2))
		r.sink.SetStoreStatus(stale)
		pass(time.Second)
		require.Equal(t, 2, r.requests())
		r.requireFlag("a", flag("a", 2))
		for _, report := range r.sink.Reports() {
			require.Equal(t, core.DataSourceValid, report.State) // the service has done nothing wrong
		}
		r.sink.SetStoreStatus(well)
		pass(time.Minute)
		require.Equal(t, 2, r.requests())
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
				r.sink.Refuse(test.refusal)
				r.start()
				for i, delay := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
					pass(test.outage)
					r.turnStale(2+i, delay*time.Second)
				}
				r.sink.Refuse(nil)
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
	r.t.Helper()
	began := time.Now()
	r.sink.SetStoreStatus(gone)
	r.sink.SetStoreStatus(stale)
	r.awaitRequests(count)
	requests := r.service.Requests(mockservice.StreamPath)
	took := requests[count-1].Time.Sub(began)
	require.GreaterOrEqual(r.t, took, delay/2)
	require.LessOrEqual(r.t, took, delay)
}

func TestSource_StoreRefusesInit_MonitoredRecoversByItself(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sink.Refuse(errStore)
		r.sink.SetStoreStatus(gone)
		r.start()
		r.requireRefused()
		require.False(t, r.source.Initialized())
		pass(time.Minute)
		require.Equal(t, 1, r.requests())

		r.sink.Refuse(nil)
		r.sink.SetStoreStatus(well) // it has kept the data and written it
		synctest.Wait()
		r.requireState(core.DataSourceValid)
		require.True(t, r.source.Initialized())
		require.Equal(t, 1, r.requests())
	})
}

func TestSource_StoreRefusesInit_MonitoredAsksAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sink.Refuse(errStore)
		r.sink.SetStoreStatus(gone)
		r.start()
		r.sink.Refuse(nil)
		r.sink.SetStoreStatus(stale)
		pass(time.Second)
		require.Equal(t, 2, r.requests())
		r.requireState(core.DataSourceValid)
		r.requireFlag("a", flag("a", 1))
	})
}

func TestSource_StoreRefusesUpsert_MonitoredGoesOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.sink.Refuse(errStore)
		r.send("patch", `{"path":"/flags/a","data":`+flag("a", 2)+`}`)
		r.requireRefused()
		pass(time.Minute)
		require.Equal(t, 1, r.requests())
		r.sink.Refuse(nil)
		r.send("patch", `{"path":"/flags/a","data":`+flag("a", 3)+`}`)
		r.requireFlag("a", flag("a", 3))
		r.sink.SetStoreStatus(well)
		synctest.Wait()
		r.requireState(core.DataSourceValid)
	})
}

func TestSource_StoreRefuses_UnmonitoredConnectsAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sink.DoNotMonitor()
		r.sink.Refuse(errStore)
		r.start()
		r.requireRefused()
		r.awaitRequests(3)
		require.False(t, r.source.Initialized())
		r.sink.Refuse(nil)
		r.awaitRequests(4)
		r.requireState(core.DataSourceValid)

		r.sink.Refuse(errStore)
		r.send("delete", `{"path":"/flags/a","version":2}`)
		r.sink.Refuse(nil)
		r.awaitRequests(5)
		r.requireState(core.DataSourceValid)
	})
}

func TestSource_StoreRefusesOneItem_GoesOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.sink.Refuse(&core.ItemError{Kind: core.Flags, Key: "a", Err: core.ErrTooLarge})
		r.send("patch", `{"path":"/flags/a","data":`+flag("a", 2)+`}`)
		r.requireState(core.DataSourceValid)
		require.Equal(t, 1, r.requests())
	})
}

func TestSource_StoreChangesWhileDisconnected_WaitsForTheService(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.service.Next("/all", respond(401))
		r.start()
		r.sink.SetStoreStatus(gone)
		r.sink.SetStoreStatus(stale)
		pass(time.Minute)
		require.Equal(t, 1, r.requests())
		r.awaitRequests(2)
		pass(time.Minute)
		require.Equal(t, 2, r.requests()) // what was sent is what the store had asked for
		require.Equal(t, 1, r.sink.Inits())
	})
}

// requireRefused requires that the last thing that was reported is the store's refusal.
func (r *rig) requireRefused() {
	r.t.Helper()
	require.Equal(r.t, core.DataSourceInterrupted, r.sink.Last().State)
	require.Equal(r.t, core.DataSourceErrorStore, r.sink.Last().Err.Kind)
}
