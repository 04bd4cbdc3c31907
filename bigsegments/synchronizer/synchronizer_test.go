package synchronizer_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
)

func TestSynchronizer_PollsStreamsPollsAndMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.SetPageSize(2)
		for _, hash := range []string{"h1", "h2", "h3"} {
			r.service.Publish(includes("a.g1", hash))
		}
		began := time.Now()
		r.start(synchronizer.Options{})
		synctest.Wait()
		r.requireState(core.DataSourceValid)
		r.requireCursor("rev-3")
		for _, hash := range []string{"h1", "h2", "h3"} {
			r.requireMember(hash, []string{"a.g1"}, nil)
		}
		require.Equal(t, 1, r.streams())
		var after []string
		for _, request := range r.service.Requests(mockbigsegments.PollPath) {
			require.Equal(t, "polling.flags.test", request.Host)
			require.Equal(t, mockbigsegments.SDKKey, request.Header.Get("Authorization"))
			after = append(after, request.URL.Query().Get("after"))
		}
		require.Equal(t, []string{"", "rev-2", "rev-3", "rev-3"}, after)
		stream := r.service.Requests(mockbigsegments.StreamPath)[0]
		require.Equal(t, "streaming.flags.test", stream.Host)
		require.Equal(t, mockbigsegments.SDKKey, stream.Header.Get("Authorization"))
		require.Len(t, r.store.marked(), 1)
		require.EqualValues(t, began.UnixMilli(), r.store.marked()[0].stated)
		require.NotContains(t, r.log.text(), mockbigsegments.SDKKey)
	})
}

// What is published between the last poll and the stream is polled before the store is marked.
func TestSynchronizer_NothingIsLostBetweenPollAndStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.Publish(includes("a.g1", "h1"))
		r.store.trouble(func(_ context.Context, operation string) error {
			if operation == "Cursor" && r.polls() == 2 && r.service.Streams() == 1 {
				r.service.PublishUnseen(includes("a.g1", "h2"))
			}
			if operation == "SetLastUpToDate" {
				r.requireMember("h2", []string{"a.g1"}, nil)
			}
			return nil
		})
		r.start(synchronizer.Options{})
		synctest.Wait()
		require.Len(t, r.store.marked(), 1)
		r.requireCursor("rev-2")
	})
}

func TestSynchronizer_StreamIsAppliedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(synchronizer.Options{})
		synctest.Wait()
		polls := r.polls()
		r.service.Publish(includes("a.g1", "h1"), mockbigsegments.Change{Segment: "b.g2", Exclude: []string{"h1", "h2"}})
		synctest.Wait()
		r.requireMember("h1", []string{"a.g1"}, []string{"b.g2"})
		r.service.Publish(mockbigsegments.Change{Segment: "b.g2", Unexclude: []string{"h1"}},
			mockbigsegments.Change{Segment: "a.g1", Uninclude: []string{"h1"}})
		synctest.Wait()
		r.requireCursor("rev-1")
		r.requireMember("h1", nil, nil)
		r.requireMember("h2", nil, []string{"b.g2"})
		require.Equal(t, polls, r.polls())
	})
}

func TestSynchronizer_EventThatIsNoArrayIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(synchronizer.Options{})
		synctest.Wait()
		r.service.Write(": comment\n\nevent: heartbeat\ndata: {}\n\nevent: other\ndata\n\nevent: none\ndata: []\n\n")
		r.service.Publish(includes("a.g1", "h1"))
		synctest.Wait()
		r.requireMember("h1", []string{"a.g1"}, nil)
		require.Equal(t, 1, r.streams())
	})
}

// After an event was lost, the next one does not fit, and the store's cursor says where to go on.
func TestSynchronizer_LostEventIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(synchronizer.Options{})
		synctest.Wait()
		r.service.PublishUnseen(includes("a.g1", "h1"))
		r.service.Publish(includes("a.g1", "h2"))
		synctest.Wait()
		r.requireCursor("")
		time.Sleep(time.Second + time.Millisecond)
		r.requireCursor("rev-2")
		r.service.Publish(includes("a.g1", "h3"))
		synctest.Wait()
		r.requireMember("h3", []string{"a.g1"}, nil)
		require.Equal(t, 1, r.streams())
		r.requireState(core.DataSourceValid)
	})
}

// A service that sends nothing but patches that don't fit is polled about once a second.
func TestSynchronizer_PatchesThatNeverFitDontHammerTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(synchronizer.Options{})
		synctest.Wait()
		for range 1000 {
			r.service.Send(mockbigsegments.Patch{SegmentID: "a.g1", PreviousVersion: "nowhere", Version: "there"})
			time.Sleep(10 * time.Millisecond)
		}
		require.InDelta(t, 12, r.polls(), 2)
		require.Empty(t, r.store.patches)
	})
}

func TestSynchronizer_MarksAgainAtLeastEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(synchronizer.Options{ReadTimeout: time.Hour})
		synctest.Wait()
		var seen recorder
		r.AddListener(seen.listen)
		time.Sleep(10 * time.Minute)
		require.Empty(t, seen.states(), "a status that is the same is not announced")
		marks := r.store.marked()
		require.InDelta(t, 10*60/19, len(marks), 10)
		for i := range marks[1:] {
			gap := marks[i+1].at.Sub(marks[i].at)
			require.GreaterOrEqual(t, gap, synchronizer.DefaultRefreshInterval/2)
			require.LessOrEqual(t, gap, 30*time.Second)
			require.EqualValues(t, marks[i+1].at.UnixMilli(), marks[i+1].stated)
		}
		require.Equal(t, 1, r.streams())

		r.service.PublishUnseen(includes("a.g1", "h1"))
		time.Sleep(30 * time.Second)
		r.requireMember("h1", []string{"a.g1"}, nil)
	})
}

// A store that cannot be brought up to date is not marked.
func TestSynchronizer_DoesNotMarkWhatItDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(synchronizer.Options{})
		synctest.Wait()
		for range 1000 {
			r.service.Next(mockbigsegments.PollPath, status(500))
		}
		time.Sleep(time.Minute)
		require.Len(t, r.store.marked(), 1)
		r.requireState(core.DataSourceInterrupted)
	})
}

func TestSynchronizer_Stop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var seen recorder
		r.Synchronizer = r.make(r.store, synchronizer.Options{})
		r.AddListener(seen.listen)
		r.Start(t.Context())
		synctest.Wait()
		r.Stop()
		r.Stop()
		<-r.Done()
		r.requireState(core.DataSourceOff)
		synctest.Wait()
		require.Zero(t, r.service.Streams())
		require.Equal(t, []core.DataSourceState{core.DataSourceValid, core.DataSourceOff}, seen.states())
		_, err := r.store.Cursor(t.Context())
		require.NoError(t, err, "a synchroniser does not close the store")
	})
}

func TestSynchronizer_Stop_EndsWhatIsInFlight(t *testing.T) {
	hangStore := func(operation string) func(r *rig) {
		return func(r *rig) {
			r.service.PublishUnseen(includes("a.g1", "h1"))
			r.store.trouble(func(ctx context.Context, o string) error {
				if o == operation {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			})
		}
	}
	for name, hang := range map[string]func(r *rig){
		"poll":            func(r *rig) { r.service.Next(mockbigsegments.PollPath, hang) },
		"stream":          func(r *rig) { r.service.Next(mockbigsegments.StreamPath, hang) },
		"delay":           func(r *rig) { r.service.Next(mockbigsegments.PollPath, status(401)) },
		"Cursor":          hangStore("Cursor"),
		"ApplyPatch":      hangStore("ApplyPatch"),
		"SetLastUpToDate": hangStore("SetLastUpToDate"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				hang(r)
				ctx, cancel := context.WithCancel(t.Context())
				r.Synchronizer = r.make(r.store, synchronizer.Options{})
				r.Start(ctx)
				time.Sleep(time.Second)
				r.requireState(core.DataSourceInitializing)
				start := time.Now()
				cancel()
				<-r.Done()
				require.Zero(t, time.Since(start))
				r.requireState(core.DataSourceOff)
			})
		})
	}
}

func TestSynchronizer_Stop_WithoutStart(t *testing.T) {
	r := newRig(t)
	r.Synchronizer = r.make(r.store, synchronizer.Options{})
	r.Stop()
	<-r.Done()
	r.requireState(core.DataSourceOff)
	r.Start(t.Context())
	require.Zero(t, r.polls())
}

func TestNew_Refuses(t *testing.T) {
	store := newRig(t).store
	for name, test := range map[string]struct {
		settings core.ClientSettings
		writer   core.BigSegmentWriter
		opts     synchronizer.Options
	}{
		"SDK key":         {core.ClientSettings{}, store, synchronizer.Options{}},
		"store":           {core.ClientSettings{SDKKey: "k"}, nil, synchronizer.Options{}},
		"RequestTimeout":  {core.ClientSettings{SDKKey: "k"}, store, synchronizer.Options{RequestTimeout: -1}},
		"ReadTimeout":     {core.ClientSettings{SDKKey: "k"}, store, synchronizer.Options{ReadTimeout: -1}},
		"StoreTimeout":    {core.ClientSettings{SDKKey: "k"}, store, synchronizer.Options{StoreTimeout: -1}},
		"RefreshInterval": {core.ClientSettings{SDKKey: "k"}, store, synchronizer.Options{RefreshInterval: -1}},
		"MinRetryDelay":   {core.ClientSettings{SDKKey: "k"}, store, synchronizer.Options{MinRetryDelay: 2, MaxRetryDelay: 1}},
		"MaxRetryDelay":   {core.ClientSettings{SDKKey: "k"}, store, synchronizer.Options{MaxRetryDelay: -1}},
		"MaxSize":         {core.ClientSettings{SDKKey: "k"}, store, synchronizer.Options{MaxSize: -1}},
		"PollingURI":      {core.ClientSettings{SDKKey: "k"}, store, synchronizer.Options{PollingURI: "flags.test"}},
		"StreamingURI":    {core.ClientSettings{SDKKey: "k"}, store, synchronizer.Options{StreamingURI: "ftp://flags.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := synchronizer.New(test.settings, test.writer, &test.opts)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, name)
		})
	}
}

func TestNew_NilOptionsAreTheDefaults(t *testing.T) {
	s, err := synchronizer.New(core.ClientSettings{SDKKey: "k"}, newRig(t).store, nil)
	require.NoError(t, err)
	require.Equal(t, core.DataSourceInitializing, s.Status().State)
}
