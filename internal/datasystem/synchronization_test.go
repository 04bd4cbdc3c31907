package datasystem

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
)

// scripted is an initializer and a synchronizer that does what the test says.
type scripted struct {
	run func(ctx context.Context, tell func(core.Update)) *core.FallbackDirective

	mu   sync.Mutex // guards what follows
	runs []string   // when it was run, and with which selector
}

func (s *scripted) note(has core.Selector) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, fmt.Sprintf("%v %s", time.Since(bubbleBegan).Round(time.Second), has))
}

// ran returns the runs and forgets them.
func (s *scripted) ran() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.runs
	s.runs = nil
	return runs
}

func (s *scripted) Fetch(ctx context.Context, has core.Selector) (update core.Update, directive *core.FallbackDirective) {
	s.note(has)
	directive = s.run(ctx, func(u core.Update) { update = u })
	return update, directive
}

func (s *scripted) Run(ctx context.Context, has func() core.Selector, tell func(core.Update)) *core.FallbackDirective {
	s.note(has())
	return s.run(ctx, tell)
}

// bubbleBegan is when time begins in a bubble of synctest.
var bubbleBegan = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// steps makes a source of what it does, one after the other; after the last it waits for its end.
func steps(all ...func(tell func(core.Update)) *core.FallbackDirective) *scripted {
	return &scripted{run: func(ctx context.Context, tell func(core.Update)) *core.FallbackDirective {
		for _, step := range all {
			if directive := step(tell); directive != nil || ctx.Err() != nil {
				return directive
			}
		}
		<-ctx.Done()
		return nil
	}}
}

// brief makes a source that returns after the steps.
func brief(all ...func(tell func(core.Update)) *core.FallbackDirective) *scripted {
	return &scripted{run: func(_ context.Context, tell func(core.Update)) *core.FallbackDirective {
		for _, step := range all {
			if directive := step(tell); directive != nil {
				return directive
			}
		}
		return nil
	}}
}

type step = func(tell func(core.Update)) *core.FallbackDirective

func brings(t *testing.T, kind core.ChangeSetType, selector core.Selector, keysAndFlags ...string) step {
	t.Helper()
	data := flagtest.Items(t, keysAndFlags...)
	return func(tell func(core.Update)) *core.FallbackDirective {
		tell(core.Update{ChangeSet: &core.ChangeSet{Type: kind, Data: data, Selector: selector}, EnvironmentID: "env"})
		return nil
	}
}

func fails(tell func(core.Update)) *core.FallbackDirective {
	tell(core.Update{Error: core.DataSourceErrorInfo{Kind: core.DataSourceErrorNetwork, Message: "cable cut"}})
	return nil
}

func rests(d time.Duration) step {
	return func(func(core.Update)) *core.FallbackDirective {
		time.Sleep(d)
		return nil
	}
}

func directs(ttl time.Duration) step {
	return func(func(core.Update)) *core.FallbackDirective { return &core.FallbackDirective{TTL: ttl} }
}

// system is a sink in memory whose data the sources bring.
type system struct {
	*Synchronization

	t     *testing.T
	store *MemoryStore
	sink  *Sink
}

func begin(t *testing.T, sources Sources) *system {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	s := &system{t: t, store: NewMemoryStore()}
	s.sink = NewSink(s.store, logger)
	s.Synchronization = NewSynchronization(sources, s.sink, logger)
	s.Start(t.Context())
	t.Cleanup(func() {
		s.Stop()
		<-s.Done()
		s.sink.Close()
	})
	return s
}

// flags returns the versions of the flags as "a:1 b:2".
func (s *system) flags() string {
	synctest.Wait()
	all, err := s.store.All(s.t.Context(), core.Flags)
	require.NoError(s.t, err)
	var parts []string
	for _, key := range []string{"a", "b"} {
		if item := all[key]; item != nil {
			parts = append(parts, fmt.Sprintf("%s:%d", key, item.Version()))
		}
	}
	return strings.Join(parts, " ")
}

func (s *system) state() core.DataSourceState {
	synctest.Wait()
	return s.sink.Status().Status().State
}

const (
	fullSet = core.ChangeSetFull
	partSet = core.ChangeSetPartial
)

func a(version int) []string { return []string{"a", flagtest.OnFlag("a", version, "1")} }

func in(t *testing.T, test func(t *testing.T)) { t.Helper(); synctest.Test(t, test) }

func TestSynchronization_Initializers_UntilOneKnowsItsState(t *testing.T) {
	in(t, func(t *testing.T) {
		broken, empty := brief(fails), brief(brings(t, core.ChangeSetNone, ""))
		stateless, good, never := brief(brings(t, fullSet, "", a(1)...)), brief(brings(t, fullSet, "s1", a(2)...)), brief()
		sync := steps(brings(t, core.ChangeSetNone, ""))
		s := begin(t, Sources{
			Initializers: []core.Initializer{broken, empty, stateless, good, never}, Synchronizers: []core.Synchronizer{sync},
		})
		require.Equal(t, "a:2", s.flags())
		require.True(t, s.Initialized())
		require.Len(t, stateless.ran(), 1)
		require.Empty(t, never.ran())
		require.Equal(t, []string{"0s s1"}, sync.ran())
		require.Equal(t, core.DataSourceValid, s.state())
	})
}

// An initializer that hangs is given up, with an error in the status, and the next source is asked.
func TestSynchronization_InitializerHangs_IsGivenUp(t *testing.T) {
	in(t, func(t *testing.T) {
		hanging, next := steps(), brief(brings(t, fullSet, "s1", a(1)...))
		s := begin(t, Sources{Initializers: []core.Initializer{hanging, next}, Synchronizers: []core.Synchronizer{steps()}})
		time.Sleep(29 * time.Second)
		require.Empty(t, s.flags())
		time.Sleep(time.Second)
		require.Equal(t, "a:1", s.flags())
		require.Equal(t, []string{"30s "}, next.ran())
		require.Contains(t, s.sink.Status().Status().LastError.Message, "has not delivered within 30s")
	})
}

// What says that what there is, is current, is no data as long as there is nothing.
func TestSynchronization_InitializerWithoutData_IsNotInitialized(t *testing.T) {
	in(t, func(t *testing.T) {
		sync := steps()
		s := begin(t, Sources{
			Initializers: []core.Initializer{brief(brings(t, core.ChangeSetNone, "s1"))}, Synchronizers: []core.Synchronizer{sync},
		})
		require.Equal(t, core.DataSourceInitializing, s.state())
		require.False(t, s.Initialized())
		require.Equal(t, []string{"0s "}, sync.ran())
	})
}

// Order of arrival decides, and not the version.
func TestSynchronization_Changes_AreAppliedWhateverTheirVersions(t *testing.T) {
	in(t, func(t *testing.T) {
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{steps(
			brings(t, fullSet, "s1", "a", flagtest.OnFlag("a", 9, "1"), "b", flagtest.OnFlag("b", 1, "1")),
			rests(time.Second), brings(t, partSet, "s2", a(3)...), rests(time.Second), brings(t, fullSet, "s3", a(1)...),
		)}})
		require.Equal(t, "a:9 b:1", s.flags())
		time.Sleep(time.Second)
		require.Equal(t, "a:3 b:1", s.flags())
		time.Sleep(time.Second)
		require.Equal(t, "a:1", s.flags())
		require.Equal(t, core.Selector("s3"), s.has())
	})
}

// Unless the change set says so, as those of data sources of the first protocol do.
func TestSynchronization_OnlyNewer_OlderChangesAreLeftOut(t *testing.T) {
	in(t, func(t *testing.T) {
		newer := func(keysAndFlags ...string) step {
			data := flagtest.Items(t, keysAndFlags...)
			return func(tell func(core.Update)) *core.FallbackDirective {
				tell(core.Update{ChangeSet: &core.ChangeSet{Type: partSet, Data: data, OnlyNewer: true}})
				return nil
			}
		}
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{steps(
			brings(t, fullSet, "", "a", flagtest.OnFlag("a", 9, "1"), "b", flagtest.OnFlag("b", 1, "1")),
			newer("a", flagtest.OnFlag("a", 3, "1"), "b", flagtest.OnFlag("b", 2, "1")),
		)}})
		require.Equal(t, "a:9 b:2", s.flags())
	})
}

// What a synchronizer has told is what evaluations see when it goes on.
func TestSynchronization_Tell_ReturnsWhenTheUpdateHasTakenEffect(t *testing.T) {
	in(t, func(t *testing.T) {
		var s *system
		begun := make(chan struct{})
		var seen []int
		look := func(func(core.Update)) *core.FallbackDirective {
			<-begun
			item, _, _ := s.store.Get(t.Context(), core.Flags, "a")
			seen = append(seen, item.Version())
			return nil
		}
		s = begin(t, Sources{Synchronizers: []core.Synchronizer{
			steps(brings(t, fullSet, "s1", a(1)...), look, brings(t, partSet, "s2", a(2)...), look),
		}})
		close(begun)
		synctest.Wait()
		require.Equal(t, []int{1, 2}, seen)
	})
}

// One that delivers nothing for ten seconds is left for the next, and it in turn; five minutes of validity lead back to the first.
func TestSynchronization_Fallback_AndRecovery(t *testing.T) {
	in(t, func(t *testing.T) {
		first, second, third := steps(), steps(), steps(brings(t, fullSet, "s1", a(1)...))
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{first, second, third}})
		time.Sleep(21 * time.Second)
		require.Equal(t, "a:1", s.flags())
		require.Equal(t, []string{"0s "}, first.ran())
		require.Equal(t, []string{"10s "}, second.ran())
		require.Equal(t, []string{"20s "}, third.ran())
		time.Sleep(5 * time.Minute)
		require.Equal(t, []string{"5m20s s1"}, first.ran())
		require.Equal(t, core.DataSourceValid, s.state(), "until it fails")
	})
}

func TestSynchronization_Interrupted_ForAMinute_IsLeft(t *testing.T) {
	in(t, func(t *testing.T) {
		first := steps(brings(t, fullSet, "s1", a(1)...), rests(time.Second), fails, rests(59*time.Second), brings(t, core.ChangeSetNone, ""),
			rests(time.Second), fails, rests(30*time.Second), fails)
		second := steps(brings(t, partSet, "s2", a(2)...))
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{first, second}})
		time.Sleep(2 * time.Second)
		require.Equal(t, core.DataSourceInterrupted, s.state())
		time.Sleep(58*time.Second + time.Millisecond)
		require.Equal(t, core.DataSourceValid, s.state())
		time.Sleep(60 * time.Second)
		require.Empty(t, second.ran())
		time.Sleep(time.Second)
		require.Equal(t, []string{"2m1s s1"}, second.ran())
		require.Equal(t, "a:2", s.flags())
		require.Equal(t, core.DataSourceValid, s.state())
	})
}

func TestSynchronization_OnlyOneLeft_IsNeverLeft(t *testing.T) {
	in(t, func(t *testing.T) {
		gone, slow := brief(fails), steps(rests(time.Hour), brings(t, fullSet, "s1", a(1)...), fails)
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{gone, slow}})
		time.Sleep(3 * time.Hour)
		require.Len(t, slow.ran(), 1)
		require.Len(t, gone.ran(), 1)
		require.Equal(t, "a:1", s.flags())
		require.Equal(t, core.DataSourceInterrupted, s.state())
	})
}

// What is of no use any more is never run again, and recovery leads to the first of the others.
func TestSynchronization_Removed_IsNotRecoveredTo(t *testing.T) {
	in(t, func(t *testing.T) {
		gone, second, third := brief(fails), steps(), steps(brings(t, fullSet, "s1", a(1)...))
		begin(t, Sources{Synchronizers: []core.Synchronizer{gone, second, third}})
		time.Sleep(11 * time.Second)
		require.Equal(t, []string{"0s "}, gone.ran())
		require.Equal(t, []string{"0s "}, second.ran())
		require.Equal(t, []string{"10s "}, third.ran())
		time.Sleep(5 * time.Minute)
		require.Empty(t, gone.ran())
		require.Equal(t, []string{"5m10s s1"}, second.ran())
		time.Sleep(10 * time.Second)
		require.Equal(t, []string{"5m20s s1"}, third.ran(), "round the list")
	})
}

func TestSynchronization_NoneLeft_IsOff(t *testing.T) {
	in(t, func(t *testing.T) {
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{brief(brings(t, fullSet, "s1", a(1)...), fails), brief(fails)}})
		<-s.Done()
		require.Equal(t, core.DataSourceOff, s.state())
		require.Equal(t, "a:1", s.flags())
	})
}

func TestSynchronization_InitializersAlone_StayValid(t *testing.T) {
	in(t, func(t *testing.T) {
		s := begin(t, Sources{Initializers: []core.Initializer{brief(brings(t, fullSet, "s1", a(1)...))}})
		time.Sleep(time.Hour)
		require.Equal(t, core.DataSourceValid, s.state())
	})
}

// A directive ends the second protocol for at most its time; what came with it is used, and what the first protocol brings replaces it.
func TestSynchronization_Directive_FirstProtocolForAWhile(t *testing.T) {
	in(t, func(t *testing.T) {
		second := steps(brings(t, fullSet, "s1", a(1)...), directs(time.Hour))
		spare := steps()
		fallback := steps(rests(time.Minute), brings(t, fullSet, "", a(2)...))
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{second, spare}, Fallback: fallback})
		require.Equal(t, "a:1", s.flags())
		time.Sleep(2 * time.Minute)
		require.Equal(t, "a:2", s.flags())
		require.Equal(t, core.Selector(""), s.has())
		require.Equal(t, core.DataSourceValid, s.state())
		require.Len(t, second.ran(), 1)
		time.Sleep(27 * time.Minute)
		require.Empty(t, second.ran(), "before half of the time")
		time.Sleep(31 * time.Minute)
		require.NotEmpty(t, second.ran(), "after the whole of it")
		require.Empty(t, spare.ran())
	})
}

// The status names the source that is in use, and says since when.
func TestSynchronization_Status_NamesTheSource(t *testing.T) {
	in(t, func(t *testing.T) {
		s := begin(t, Sources{
			Initializers:  []core.Initializer{brief(rests(time.Second))},
			Synchronizers: []core.Synchronizer{steps(), steps(brings(t, fullSet, "", a(1)...))},
		})
		for _, want := range []struct {
			after  time.Duration
			source string
			since  time.Duration
		}{
			{0, "initializer 1 (datasystem.scripted)", 0},
			{2 * time.Second, "synchronizer 1 (datasystem.scripted)", time.Second},
			{10 * time.Second, "synchronizer 2 (datasystem.scripted)", 11 * time.Second},
			{5 * time.Minute, "synchronizer 1 (datasystem.scripted)", 5*time.Minute + 11*time.Second},
		} {
			time.Sleep(want.after)
			synctest.Wait()
			status := s.sink.Status().Status()
			require.Equal(t, want.source, status.Source)
			require.Equal(t, want.since, status.SourceSince.Sub(bubbleBegan))
		}
		require.Equal(t, "initializer 1 (datasystem.scripted), synchronizer 1 (datasystem.scripted), synchronizer 2 (datasystem.scripted)", s.String())
	})
}

// described is a synchronizer that describes itself.
type described struct {
	*scripted
	text string
}

func (d described) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.Parse([]byte(d.text))
}

func (d described) String() string { return "described" }

func TestSynchronization_DescribeConfiguration_PreferredSynchronizerCounts(t *testing.T) {
	in(t, func(t *testing.T) {
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{
			described{steps(), `{"streamingDisabled":false}`}, steps(), described{steps(), `{"streamingDisabled":true,"pollingIntervalMillis":1}`},
		}})
		require.JSONEq(t, `{"streamingDisabled":false,"pollingIntervalMillis":1}`, s.DescribeConfiguration(core.ClientConfiguration{}).JSONString())
		synctest.Wait()
		require.Equal(t, "synchronizer 1 (described)", s.sink.Status().Status().Source)
	})
}

// A service that changes its mind all the time is followed: the data is always that of the protocol it has named last.
func TestSynchronization_Directive_AgainAndAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		var version atomic.Int64
		next := func(selector core.Selector) step {
			return func(tell func(core.Update)) *core.FallbackDirective {
				return brings(t, fullSet, selector, a(int(version.Add(1)))...)(tell)
			}
		}
		second, fallback := steps(next("s"), rests(time.Second), directs(time.Minute)), steps(next(""))
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{second}, Fallback: fallback})
		last := int64(0)
		for range 100 {
			time.Sleep(time.Minute + time.Second)
			synctest.Wait()
			now := version.Load()
			require.Greater(t, now, last)
			require.Equal(t, fmt.Sprintf("a:%d", now), s.flags())
			require.Equal(t, core.DataSourceValid, s.state())
			last = now
		}
		require.Greater(t, len(second.ran()), 90)
		require.Greater(t, len(fallback.ran()), 90)
	})
}

func TestSynchronization_DirectiveToAnInitializer_SkipsTheRest(t *testing.T) {
	in(t, func(t *testing.T) {
		rest, sync, fallback := brief(), steps(), steps(brings(t, fullSet, "", a(1)...))
		s := begin(t, Sources{
			Initializers: []core.Initializer{brief(directs(time.Hour)), rest}, Synchronizers: []core.Synchronizer{sync}, Fallback: fallback,
		})
		require.Equal(t, "a:1", s.flags())
		require.Empty(t, rest.ran())
		require.Empty(t, sync.ran())
	})
}

func TestSynchronization_Directive_NothingToFallBackTo_Waits(t *testing.T) {
	in(t, func(t *testing.T) {
		sync := steps(directs(time.Hour))
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{sync}})
		require.Len(t, sync.ran(), 1)
		time.Sleep(29 * time.Minute)
		require.Empty(t, sync.ran())
		time.Sleep(32 * time.Minute)
		require.NotEmpty(t, sync.ran())
		require.Contains(t, s.sink.Status().Status().LastError.Message, "first protocol")
	})
}

// A flag is announced once for each payload that changes it, and not for identical data.
func TestSynchronization_Announcements_OncePerFlagAndPayload(t *testing.T) {
	in(t, func(t *testing.T) {
		first := brings(t, fullSet, "s1", "a", flagtest.OnFlag("a", 1, "1"), "b", flagtest.OnFlag("b", 1, "1"))
		s := begin(t, Sources{Synchronizers: []core.Synchronizer{steps(
			first, rests(time.Second), first, rests(time.Second), brings(t, partSet, "s2", "a", flagtest.OnFlag("a", 2, "1"), "b", flagtest.OnFlag("b", 1, "1")),
		)}})
		var told flagtest.Collector[core.FlagChange]
		s.sink.AddChangeListener(t.Context(), told.Listen)
		synctest.Wait()
		flagtest.TakeKeys(&told)
		time.Sleep(time.Second)
		require.Empty(t, flagtest.TakeKeys(&told))
		time.Sleep(time.Second)
		require.Equal(t, []string{"a"}, flagtest.TakeKeys(&told))
	})
}
