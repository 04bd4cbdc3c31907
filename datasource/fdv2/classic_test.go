package fdv2_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/fdv2"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/datasource/testsource"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// run is a synchronizer that runs, and what it has told, one line for each update.
type run struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}

	mu   sync.Mutex // guards what follows
	told []string
}

func start(t *testing.T, synchronizer core.Synchronizer) *run {
	t.Helper()
	r := &run{t: t, ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		if synchronizer.Run(ctx, nil, r.tell) != nil {
			t.Error("a directive")
		}
	}()
	synctest.Wait()
	return r
}

func (r *run) tell(update core.Update) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, describe(update))
}

func describe(update core.Update) string {
	if update.ChangeSet == nil {
		return "error: " + update.Error.Message
	}
	parts := []string{update.EnvironmentID + update.ChangeSet.Type.String()}
	for _, collection := range update.ChangeSet.Data {
		for _, it := range collection.Items {
			part := fmt.Sprintf("%s v%d", it.Key, it.Item.Version())
			if it.Item.Deleted() {
				part += " deleted"
			}
			parts = append(parts, part)
		}
	}
	if update.ChangeSet.OnlyNewer {
		parts = append(parts, "only newer")
	}
	return strings.Join(parts, ", ")
}

// requireTold requires what has been told since the last look.
func (r *run) requireTold(want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Equal(r.t, append([]string{}, want...), append([]string{}, r.told...))
	r.told = nil
}

func made[S any](t *testing.T, factory func(core.ClientSettings) (S, error)) S {
	t.Helper()
	source, err := factory(core.ClientSettings{})
	require.NoError(t, err)
	return source
}

func TestClassicSynchronizer_Run_TellsWhatTheDataSourceDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := testsource.New()
		source.Update(source.Flag("a"))
		synchronizer := made(t, fdv2.ClassicSynchronizer(source.Factory()))
		r := start(t, synchronizer)
		r.requireTold("full, a v1", "none")
		source.Update(source.Flag("b"))
		r.requireTold("partial, b v1, only newer")
		source.DeleteFlag("b")
		r.requireTold("partial, b v2 deleted, only newer")
		source.UpdateStatus(core.DataSourceInterrupted, core.DataSourceErrorInfo{Message: "cable cut"})
		source.UpdateStatus(core.DataSourceInterrupted, core.DataSourceErrorInfo{})
		source.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
		r.requireTold("error: cable cut", "error: the data source is interrupted and does not say why", "none")
		r.cancel()
		<-r.ended
		source.Update(source.Flag("b"))
		r.requireTold()
		start(t, synchronizer).requireTold("full, a v1, b v3", "none") // it may be run again
	})
}

func TestClassicSynchronizer_Run_EndsWhenTheDataSourceIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := testsource.New()
		synchronizer := made(t, fdv2.ClassicSynchronizer(source.Factory()))
		r := start(t, synchronizer)
		r.requireTold("full", "none")
		source.UpdateStatus(core.DataSourceOff, core.DataSourceErrorInfo{Message: "refused"})
		<-r.ended
		r.requireTold("error: refused")
		source.Update(source.Flag("a"))
		r.requireTold()
		r = start(t, synchronizer)
		<-r.ended
		r.requireTold("full, a v1", "error: refused")
	})
}

// held is a data source of which a test is the goroutine.
type held struct {
	*lifecycle.Operation
	sink core.DataSourceUpdateSink
}

func (h *held) Start(ctx context.Context) { h.Run(ctx, func(ctx context.Context) { <-ctx.Done() }) }

func (h *held) Initialized() bool { return false }

func (h *held) factory(_ core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
	h.Operation, h.sink = lifecycle.NewOperation(), sink
	return h, nil
}

// What a data source of the application's own delivers before or after its time is dropped, and it sees a store that is well.
func TestClassicSynchronizer_UpdatesOutOfTime_AreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{}
		synchronizer := made(t, fdv2.ClassicSynchronizer(h.factory))
		status := h.sink.DataStoreStatus()
		require.Equal(t, core.DataStoreStatus{Available: true}, status.Status())
		require.False(t, status.MonitoringEnabled())
		status.AddListener(func(core.DataStoreStatus) {})()
		require.NoError(t, h.sink.Init(t.Context(), nil))
		r := start(t, synchronizer)
		r.requireTold()
		h.sink.(core.EnvironmentIDSink).SetEnvironmentID("env ")
		require.NoError(t, h.sink.Init(t.Context(), nil))
		r.requireTold("env full")
		r.cancel()
		<-r.ended
		require.NoError(t, h.sink.Delete(t.Context(), core.Flags, "a", 1))
		h.sink.UpdateStatus(core.DataSourceOff, core.DataSourceErrorInfo{})
		r.requireTold()
	})
}

func TestClassicInitializer_Fetch_DeliversEverythingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := testsource.New()
		source.Update(source.Flag("a"))
		initializer := made(t, fdv2.ClassicInitializer(source.Factory()))
		for range 2 {
			update, directive := initializer.Fetch(t.Context(), "")
			require.Nil(t, directive)
			require.Equal(t, "full, a v1", describe(update))
		}
	})
}

func TestClassicInitializer_Fetch_Error_IsReturned(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.json")
	initializer := made(t, fdv2.ClassicInitializer(filedata.Source(filedata.Options{Paths: []string{missing}})))
	update, _ := initializer.Fetch(t.Context(), "")
	require.Nil(t, update.ChangeSet)
	require.Contains(t, update.Error.Message, "missing.json")
}

func TestClassicInitializer_Fetch_NothingDelivered_EndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		initializer := made(t, fdv2.ClassicInitializer((&held{}).factory))
		began := time.Now()
		update, _ := initializer.Fetch(t.Context(), "")
		require.Equal(t, 10*time.Second, time.Since(began))
		require.Nil(t, update.ChangeSet)
		require.Contains(t, update.Error.Message, "nothing within 10s")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		_, _ = initializer.Fetch(ctx, "")
		require.Zero(t, time.Since(began))
	})
}

func TestClassic_DataSourceThatCannotBeMade_IsRefused(t *testing.T) {
	broken := errors.New("no disk")
	fails := func(core.ClientSettings, core.DataSourceUpdateSink) (core.UpdateProcessor, error) { return nil, broken }
	none := func(core.ClientSettings, core.DataSourceUpdateSink) (core.UpdateProcessor, error) { return nil, nil } //nolint:nilnil // tested
	for source, want := range map[*core.UpdateProcessorFactory]error{
		new(core.UpdateProcessorFactory): core.ErrInvalid, new(core.UpdateProcessorFactory(fails)): broken,
		new(core.UpdateProcessorFactory(none)): core.ErrInvalid,
	} {
		_, err := fdv2.ClassicSynchronizer(*source)(core.ClientSettings{})
		require.ErrorIs(t, err, want)
		_, err = fdv2.ClassicInitializer(*source)(core.ClientSettings{})
		require.ErrorIs(t, err, want)
	}
}

// What could be made once and cannot be made again is reported when it is to run.
func TestClassicSynchronizer_Run_DataSourceCannotBeMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, times := &held{}, 0
		synchronizer := made(t, fdv2.ClassicSynchronizer(func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
			if times++; times == 2 {
				return nil, errors.New("no disk")
			}
			return h.factory(settings, sink)
		}))
		r := start(t, synchronizer)
		r.cancel()
		<-r.ended
		r = start(t, synchronizer)
		<-r.ended
		r.requireTold("error: no disk")
	})
}
