package polling_test

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

func TestSource_StoreTurnsStale_EverythingIsDeliveredAgain(t *testing.T) {
	for name, changed := range map[string]bool{"unchanged": false, "changed": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.start()
				want := flag("a", 1)
				if changed {
					r.service.SetData(flagData(2))
					want = flag("a", 2)
				}
				pass(time.Second)
				r.sink.SetStoreStatus(stale)
				synctest.Wait()
				require.Len(t, r.requests(), 2)
				require.Equal(t, 2, r.sink.Inits())
				r.requireFlag("a", want)
				r.awaitRequests(3)
				r.requireGap(30*time.Second, 30*time.Second)
				require.Equal(t, 2, r.sink.Inits())
			})
		})
	}
}

func TestSource_StoreTurnsStale_DuringAnOutageOfTheService(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.service.Next(mockservice.PollPath, mockservice.Status(401))
		r.awaitRequests(2)
		r.sink.SetStoreStatus(stale)
		synctest.Wait()
		require.Equal(t, 2, r.sink.Inits()) // what there is
		require.Len(t, r.requests(), 2)     // and the service is left alone
		r.requireInterrupted(core.DataSourceErrorResponse)
		r.awaitRequests(3)
		r.requireState(core.DataSourceValid)
	})
}

func TestSource_StoreRefuses_MonitoredRecoversByItself(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sink.Refuse(errStore)
		r.sink.SetStoreStatus(gone)
		r.start()
		require.Equal(t, core.DataSourceErrorStore, r.sink.Last().Err.Kind)
		r.awaitRequests(3)
		require.Equal(t, core.DataSourceErrorStore, r.sink.Last().Err.Kind)
		require.False(t, r.source.Initialized())
		r.sink.Refuse(nil)
		r.sink.SetStoreStatus(well)
		synctest.Wait()
		r.requireState(core.DataSourceValid)
		require.True(t, r.source.Initialized())
		require.Zero(t, r.sink.Inits())
	})
}

func TestSource_StoreRefuses_UnmonitoredGetsTheDataAtTheNextPoll(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sink.DoNotMonitor()
		r.sink.Refuse(errStore)
		r.start()
		r.sink.Refuse(nil)
		r.awaitRequests(2)
		r.requireState(core.DataSourceValid)
		r.requireFlag("a", flag("a", 1))
	})
}
