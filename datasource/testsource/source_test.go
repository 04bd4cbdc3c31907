package testsource_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/testsource"
	"github.com/cleatdev/cleat/internal/layout"
	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start attaches a sink to the source, and returns once it has been given everything there is.
func start(t *testing.T, source *testsource.Source, sink *mockservice.Sink) core.UpdateProcessor {
	t.Helper()
	processor, err := source.Factory()(core.ClientSettings{}, sink)
	require.NoError(t, err)
	processor.Start(t.Context())
	synctest.Wait()
	return processor
}

func stop(t *testing.T, processor core.UpdateProcessor, sink *mockservice.Sink) {
	t.Helper()
	processor.Stop()
	<-processor.Done()
	require.Equal(t, core.DataSourceOff, sink.Last().State)
	require.Zero(t, sink.Listeners())
}

func requireVersion(t *testing.T, sink *mockservice.Sink, name string, version int, deleted bool) {
	t.Helper()
	item, err := core.ParseItem([]byte(sink.Items()[name]))
	require.NoError(t, err)
	require.Equal(t, version, item.Version())
	require.Equal(t, deleted, item.Deleted())
}

func TestSource_Start_DeliversEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, sink := testsource.New(), mockservice.NewSink()
		source.Update(source.Flag("a"))
		source.UsePreconfiguredSegment(ldbuilders.NewSegmentBuilder("s").Version(7).Build())
		source.Update(source.Flag("gone"))
		source.DeleteFlag("gone")
		processor := start(t, source, sink)
		require.True(t, processor.Initialized())
		require.Len(t, sink.Items(), 2)
		requireVersion(t, sink, "features/a", 1, false)
		requireVersion(t, sink, "segments/s", 7, false)
		require.Equal(t, []mockservice.Report{{State: core.DataSourceValid}}, sink.Reports())
		stop(t, processor, sink)
	})
}

func TestSource_Update_ReachesAllClientsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := testsource.New()
		sinks := []*mockservice.Sink{mockservice.NewSink(), mockservice.NewSink(), mockservice.NewSink()}
		processors := make([]core.UpdateProcessor, len(sinks))
		for i, sink := range sinks {
			processors[i] = start(t, source, sink)
		}
		source.Update(source.Flag("a"))
		stop(t, processors[0], sinks[0])
		source.Update(source.Flag("a").On(false))
		requireVersion(t, sinks[0], "features/a", 1, false)
		for i := 1; i < len(sinks); i++ {
			requireVersion(t, sinks[i], "features/a", 2, false)
			stop(t, processors[i], sinks[i])
		}
		source.Update(source.Flag("a"))
	})
}

func TestSource_Versions_IncreaseOverDeletions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, sink := testsource.New(), mockservice.NewSink()
		processor := start(t, source, sink)
		source.Update(source.Flag("a"))
		source.DeleteFlag("a")
		requireVersion(t, sink, "features/a", 2, true)
		source.Update(source.Flag("a"))
		requireVersion(t, sink, "features/a", 3, false)
		source.UsePreconfiguredFlag(ldbuilders.NewFlagBuilder("a").Version(2).Build())
		requireVersion(t, sink, "features/a", 4, false)
		source.UsePreconfiguredFlag(ldbuilders.NewFlagBuilder("a").Version(10).Build())
		requireVersion(t, sink, "features/a", 10, false)
		source.Update(source.Flag("a"))
		requireVersion(t, sink, "features/a", 11, false)
		source.UsePreconfiguredSegment(ldbuilders.NewSegmentBuilder("s").Build())
		source.DeleteSegment("s")
		requireVersion(t, sink, "segments/s", 2, true)
		source.DeleteSegment("never-seen")
		requireVersion(t, sink, "segments/never-seen", 1, true)
		stop(t, processor, sink)
	})
}

func TestSource_UpdateStatus_ReachesAllClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, early, late := testsource.New(), mockservice.NewSink(), mockservice.NewSink()
		processor := start(t, source, early)
		info := core.DataSourceErrorInfo{Kind: core.DataSourceErrorNetwork, Message: "no cable"}
		source.UpdateStatus(core.DataSourceInterrupted, info)
		want := mockservice.Report{State: core.DataSourceInterrupted, Err: info}
		require.Equal(t, want, early.Last())
		second := start(t, source, late)
		require.Equal(t, want, late.Last())
		source.Update(source.Flag("a"))
		requireVersion(t, early, "features/a", 1, false)
		require.Equal(t, want, early.Last())
		source.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
		require.Equal(t, core.DataSourceValid, late.Last().State)
		stop(t, processor, early)
		stop(t, second, late)
	})
}

func TestSource_StoreTurnsStale_EverythingIsDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, sink := testsource.New(), mockservice.NewSink()
		source.Update(source.Flag("a"))
		processor := start(t, source, sink)
		sink.Refuse(errors.New("the database is gone"))
		source.Update(source.Flag("a"))
		require.Equal(t, core.DataSourceErrorStore, sink.Last().Err.Kind)
		sink.Refuse(nil)
		sink.SetStoreStatus(core.DataStoreStatus{Available: true, Stale: true})
		synctest.Wait()
		require.Equal(t, 2, sink.Inits())
		requireVersion(t, sink, "features/a", 2, false)
		require.Equal(t, core.DataSourceValid, sink.Last().State)
		stop(t, processor, sink)
	})
}

func TestSource_StoreRefuses(t *testing.T) {
	refusal := errors.New("the database is gone")
	synctest.Test(t, func(t *testing.T) {
		source, sink := testsource.New(), mockservice.NewSink()
		sink.Refuse(refusal)
		processor := start(t, source, sink)
		require.False(t, processor.Initialized())
		sink.SetStoreStatus(core.DataStoreStatus{Available: true}) // it has kept the data and written it
		synctest.Wait()
		require.True(t, processor.Initialized())
		require.Equal(t, core.DataSourceValid, sink.Last().State)
		sink.Refuse(&core.ItemError{Kind: core.Flags, Key: "a", Err: core.ErrTooLarge})
		source.Update(source.Flag("a"))
		require.Equal(t, core.DataSourceValid, sink.Last().State)
		stop(t, processor, sink)
	})
	synctest.Test(t, func(t *testing.T) {
		source, sink := testsource.New(), mockservice.NewSink()
		sink.DoNotMonitor()
		processor := start(t, source, sink)
		sink.Refuse(refusal)
		source.Update(source.Flag("a"))
		sink.Refuse(nil)
		source.Update(source.Flag("b"))
		require.Equal(t, 2, sink.Inits())
		require.Len(t, sink.Items(), 2)
		require.Equal(t, core.DataSourceValid, sink.Last().State)
		stop(t, processor, sink)
	})
}

func TestSource_Concurrent(t *testing.T) {
	source := testsource.New()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			sink := mockservice.NewSink()
			processor, err := source.Factory()(core.ClientSettings{}, sink)
			if err != nil {
				panic(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			processor.Start(ctx)
			for j := range 50 {
				key := strconv.Itoa(j % 3)
				source.Update(source.Flag(key).On(j%2 == i%2))
				source.DeleteFlag(key)
			}
			cancel()
			<-processor.Done()
		})
	}
	group.Wait()
}

func TestSource_EmptyKey_IsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		source, sink := testsource.New(), mockservice.NewSink()
		source.Update(source.Flag("")) // before there is a client
		processor, err := source.Factory()(core.ClientSettings{Logger: slog.New(slog.NewTextHandler(&log, nil))}, sink)
		require.NoError(t, err)
		processor.Start(t.Context())
		synctest.Wait()
		source.UsePreconfiguredSegment(ldbuilders.NewSegmentBuilder("").Build())
		source.DeleteFlag("")
		source.Update(source.Flag("a"))
		require.Len(t, sink.Items(), 1)
		requireVersion(t, sink, "features/a", 1, false)
		require.Equal(t, 1, strings.Count(log.String(), "kind=segments"), log.String())
		require.Equal(t, 1, strings.Count(log.String(), "kind=features"), log.String())
		stop(t, processor, sink)
	})
}

// A model leaves out what is empty in no case, so that what gets into a database has every property.
func TestSource_Items_AreWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, sink := testsource.New(), mockservice.NewSink()
		processor := start(t, source, sink)
		source.Update(source.Flag("built").Rule(testsource.True, testsource.InSegment("s")))
		source.UsePreconfiguredFlag(ldmodel.FeatureFlag{Key: "bare"})
		source.UsePreconfiguredSegment(ldmodel.Segment{Key: "bare"})
		source.DeleteFlag("gone")
		source.DeleteSegment("gone")
		for _, name := range []string{"features/built", "features/bare", "features/gone", "segments/bare", "segments/gone"} {
			kind, _, _ := strings.Cut(name, "/")
			require.Empty(t, layout.Incomplete(core.DataKind(kind), []byte(sink.Items()[name])), name)
		}
		stop(t, processor, sink)
	})
}
