package conformance

import (
	"context"
	"sync"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/internal/storetest"
)

// calls opens a store and, if the adapter has one, a big segment store, and returns a call of each method that asks the server.
func (f *faultFixture) calls(address string) []storetest.Call {
	f.Helper()
	calls := storetest.Calls(f.open(address))
	if f.openBigAt == nil {
		return calls
	}
	segments := f.openBigAt(f.tester, address, f.prefix)
	f.Cleanup(func() { _ = f.Do("Close", segments.Close) })
	return append(calls, storetest.BigSegmentCalls(segments)...)
}

// wantAll makes all calls at once, each with a context that ends after patience, and expects that each ends within limit with
// an error as meant.
func (f *faultFixture) wantAll(
	calls []storetest.Call, patience, limit time.Duration, meant string, is func(ctx context.Context, err error) bool,
) {
	f.Helper()
	var all sync.WaitGroup
	for _, c := range calls {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(f.Context(), patience)
			defer cancel()
			begun := time.Now()
			err := f.Do(c.Name, func() error { return c.Run(ctx) })
			if took := time.Since(begun); !is(ctx, err) || took >= limit {
				f.Errorf("%s ended after %v with the error %v; it must end within %v %s", c.Name, took.Round(time.Millisecond), err, limit, meant)
			}
		})
	}
	all.Wait()
	if f.Failed() {
		f.FailNow()
	}
}

// awaitHealthy waits until each call has succeeded once.
func (f *faultFixture) awaitHealthy(calls []storetest.Call) {
	f.Helper()
	for _, c := range calls {
		testrun.Eventually(f, f.wait, c.Name+" of a server that answers", func() string {
			ctx, cancel := context.WithTimeout(f.Context(), soon)
			defer cancel()
			if err := f.Do(c.Name, func() error { return c.Run(ctx) }); err != nil {
				return "fails: " + err.Error()
			}
			return ""
		})
	}
}
