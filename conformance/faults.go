package conformance

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// FaultsHarness describes to [RunFaults] how an adapter reaches its server over the network.
type FaultsHarness struct {
	// Server is the host:port of a real server. The suite puts a proxy in front of it that fails, and leaves the server alone.
	Server string

	// Open returns a new store that reaches its server at a host:port, under a prefix. There is one function for each way to
	// make a client, by a name for it: typically one of the adapter's own and one of the caller's. Each makes a store also if
	// no server answers at the address, and registers nothing but what a client of the caller's needs: the suite closes it.
	Open map[string]func(t testing.TB, address, prefix string) core.FeatureStoreCore

	// OpenBigSegments does the same for big segments. It is optional; nil means that the adapter keeps none.
	OpenBigSegments func(t testing.TB, address, prefix string) core.BigSegmentStore

	// Timeout is how long one call may take before the suite counts it as hanging and fails the subtest; 0 means 30 s.
	Timeout time.Duration
}

// RunFaults shows what a store on a network does when the network or the server fails, as subtests of t, one after the other,
// for each way to make a client. In short: a call ends with its context at the latest; an outage is an error that wraps
// [core.ErrUnavailable], at once and not after retries that would hide it; what was read is whole or an error; the
// store heals by itself; and a wrapper writes back afterwards what the database has missed.
//
// The stores are called directly, without the bounds that cleat puts around every store, because a call that ends only there
// leaves a goroutine and a connection behind.
//
// The proxy is toxiproxy's. It leaves goroutines behind when it has dropped data: a test that looks for leaks has to ignore
// those of github.com/Shopify/toxiproxy.
func RunFaults(t *testing.T, h FaultsHarness) {
	t.Helper()
	runFaultTests(testrun.Of(t), h, defaultSizes())
}

func runFaultTests(t tester, h FaultsHarness, s sizes) {
	for _, client := range slices.Sorted(maps.Keys(h.Open)) {
		t.Run(client, func(t tester) {
			suite.Run(t, []group[*faultFixture]{networkTests(), serverTests(), recoveryTests()}, func(t tester) *faultFixture {
				return &faultFixture{
					tester: t, sizes: s, guard: suite.NewGuard(t, h.Timeout), server: h.Server, openAt: h.Open[client], openBigAt: h.OpenBigSegments,
					prefix: suite.RandomPrefix(),
				}
			})
		})
	}
}

// faultFixture is what one subtest of [RunFaults] is given.
type faultFixture struct {
	tester
	sizes
	guard
	server    string
	openAt    func(t testing.TB, address, prefix string) core.FeatureStoreCore
	openBigAt func(t testing.TB, address, prefix string) core.BigSegmentStore
	prefix    string
}

const (
	// faultyCall is how long a call has in which a fault may end it; soon is when it must have returned, on a busy machine.
	faultyCall = 200 * time.Millisecond
	soon       = 3 * time.Second
	// atOnce is when Close must have returned, and the error of a server that cannot be reached: an adapter retries for half a
	// second at most.
	atOnce = 1500 * time.Millisecond
)

// open returns a store that is closed at the end of the subtest.
func (f *faultFixture) open(address string) core.FeatureStoreCore {
	f.Helper()
	store := f.openUnmanaged(address)
	f.Cleanup(func() { _ = f.Do("Close", store.Close) })
	return store
}

func (f *faultFixture) openUnmanaged(address string) core.FeatureStoreCore {
	f.Helper()
	store := f.openAt(f.tester, address, f.prefix)
	if store == nil {
		f.Fatalf("FaultsHarness.Open returned nil")
	}
	return store
}

func networkTests() group[*faultFixture] {
	g := group[*faultFixture]{Name: "Network"}
	for _, fault := range []struct{ name, toxic string }{
		{"AnswersNeverArrive", storetest.Hang},
		{"RequestsNeverArrive", storetest.HangUpstream},
		{"ConnectionsAreReset", storetest.Reset},
		{"AnswersAreCut", storetest.CutDownstream},
		{"RequestsAreCut", storetest.CutUpstream},
		{"AnswersAreLate", storetest.Latency},
	} {
		g.Tests = append(g.Tests, subtest[*faultFixture]{fault.name, func(f *faultFixture) { f.testFault(fault.toxic) }})
	}
	g.Tests = append(g.Tests,
		subtest[*faultFixture]{"SlowLineIsWaitedFor", testSlowLine},
		subtest[*faultFixture]{"PartOfAKindIsAnError", testPartOfKind},
	)
	return g
}

// testFault: whatever happens on the way, every call ends in time, with the error of its context as it is or ErrUnavailable,
// and when the fault is gone the store works.
func (f *faultFixture) testFault(toxic string) {
	proxy := storetest.StartProxy(f.tester, f.server)
	calls := f.calls(proxy.Address())
	f.awaitHealthy(calls)
	proxy.Infect(toxic)
	f.wantAll(calls, faultyCall, soon, "in time with ErrUnavailable or its context's error", func(ctx context.Context, err error) bool {
		return errors.Is(err, core.ErrUnavailable) || suite.ContextEnded(ctx, err)
	})
	proxy.Heal()
	f.awaitHealthy(calls)
}

func testSlowLine(f *faultFixture) {
	const size = 4000
	proxy := storetest.StartProxy(f.tester, f.server)
	proxy.Infect(storetest.SlowUpstream)
	store, flags := f.open(proxy.Address()), storetest.Flags(f.manyItems/20, 1, size)
	if err := f.Do("Init", func() error { return store.Init(f.Context(), []core.SerializedCollection{flags}) }); err != nil {
		f.Fatalf("Init over a slow line: %v", err)
	}
	got, err := suite.Guarded(f.guard, "GetAll", func() ([]core.KeyedSerializedItem, error) { return store.GetAll(f.Context(), core.Flags) })
	if err != nil {
		f.Fatalf("GetAll: %v", err)
	}
	if difference := differsInAll(got, flags.Items); difference != "" {
		f.Fatalf("GetAll after an Init over a slow line: %s", difference)
	}
}

func testPartOfKind(f *faultFixture) {
	const n, size = 100, 4000
	proxy := storetest.StartProxy(f.tester, f.server)
	store, flags := f.open(proxy.Address()), storetest.Flags(n, 1, size)
	if err := f.Do("Init", func() error { return store.Init(f.Context(), []core.SerializedCollection{flags}) }); err != nil {
		f.Fatalf("Init: %v", err)
	}
	proxy.Infect(storetest.CutLater)
	ctx, cancel := context.WithTimeout(f.Context(), soon)
	defer cancel()
	got, err := suite.Guarded(f.guard, "GetAll", func() ([]core.KeyedSerializedItem, error) { return store.GetAll(ctx, core.Flags) })
	if err == nil {
		f.Fatalf("GetAll of %d flags whose answer is cut: %d flags and no error", n, len(got))
	}
	if !errors.Is(err, core.ErrUnavailable) && !suite.ContextEnded(ctx, err) {
		f.Fatalf("GetAll whose answer is cut: the error is %v, which does not wrap ErrUnavailable", err)
	}
}

func serverTests() group[*faultFixture] {
	return group[*faultFixture]{"Server", []subtest[*faultFixture]{
		{"NeverAnswers", testMuteServer},
		{"IsNotThere", testNoServer},
		{"GoesAway", testServerGoesAway},
		{"CloseWhileItHangs", testCloseWhileServerHangs},
	}}
}

func testMuteServer(f *faultFixture) {
	f.wantAll(f.calls(storetest.Mute(f.tester)), faultyCall, soon, "in time with its context's error", suite.ContextEnded)
}

func testNoServer(f *faultFixture) {
	f.wantUnavailableAtOnce(f.calls(storetest.Unused(f.tester)))
}

// testServerGoesAway: an outage that is hidden by retries leaves the database without what it missed.
func testServerGoesAway(f *faultFixture) {
	proxy := storetest.StartProxy(f.tester, f.server)
	calls := f.calls(proxy.Address())
	f.awaitHealthy(calls)
	proxy.Stop()
	f.wantUnavailableAtOnce(calls)
	proxy.Start()
	f.awaitHealthy(calls)
}

func (f *faultFixture) wantUnavailableAtOnce(calls []storetest.Call) {
	f.Helper()
	f.wantAll(calls, f.Timeout(), atOnce, "at once with ErrUnavailable", func(_ context.Context, err error) bool {
		return errors.Is(err, core.ErrUnavailable)
	})
}

// testCloseWhileServerHangs: Close waits for no call, each of which ends with its context at the latest, and all calls after
// it are refused.
func testCloseWhileServerHangs(f *faultFixture) {
	const patience = 2 * time.Second
	address, connected := storetest.StartMute(f.tester)
	store := f.openUnmanaged(address)
	var inFlight sync.WaitGroup
	for _, c := range storetest.Calls(store) {
		inFlight.Go(func() {
			ctx, cancel := context.WithTimeout(f.Context(), patience)
			defer cancel()
			err := f.Do(c.Name, func() error { return c.Run(ctx) })
			if !errors.Is(err, core.ErrClosed) && !errors.Is(err, core.ErrUnavailable) && !suite.ContextEnded(ctx, err) {
				f.Errorf("%s, in flight when the store was closed: %v", c.Name, err)
			}
		})
	}
	select {
	case <-connected:
	case <-time.After(patience):
		f.Errorf("no call connects to the server")
	}
	begun := time.Now()
	for range 2 {
		if err := f.Do("Close", store.Close); err != nil {
			f.Errorf("Close: %v", err)
		}
	}
	if took := time.Since(begun); took >= atOnce {
		f.Errorf("Close takes %v while the server hangs", took)
	}
	inFlight.Wait()
	f.wantAll(storetest.Calls(store), faultyCall, soon, "with ErrClosed after Close", func(_ context.Context, err error) bool {
		return errors.Is(err, core.ErrClosed)
	})
}
