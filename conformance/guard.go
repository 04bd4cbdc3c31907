package conformance

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// errHung and errPanicked are what a guarded call returns if the store did not return at all.
var (
	errHung     = errors.New("the call hung")
	errPanicked = errors.New("the call panicked")
)

// guard makes calls into a store so that one that hangs or panics fails its subtest instead of the whole test run.
type guard struct {
	t       testing.TB
	timeout time.Duration
}

func newGuard(t testing.TB, timeout time.Duration) guard {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	return guard{t: t, timeout: timeout}
}

// patient returns a guard for calls on very large data.
func (g guard) patient() guard {
	const factor = 4
	g.timeout *= factor
	return g
}

func (g guard) do(name string, f func() error) error {
	_, err := guarded(g, name, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// guarded returns what f returns. If f does not return in time, its goroutine is left behind.
func guarded[R any](g guard, name string, f func() (R, error)) (R, error) {
	type outcome struct {
		result R
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: errPanicked}
		defer func() {
			if p := recover(); p != nil {
				g.t.Errorf("%s panicked: %v\n%s", name, p, debug.Stack())
			}
			done <- o
		}()
		o.result, o.err = f()
	}()
	timer := time.NewTimer(g.timeout)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.result, o.err
	case <-timer.C:
		g.t.Errorf("%s did not return within %v; goroutines:\n%s", name, g.timeout, stacks())
		var none R
		return none, fmt.Errorf("%s: %w", name, errHung)
	}
}

func stacks() []byte {
	const enough = 64 << 10
	buf := make([]byte, enough)
	return buf[:runtime.Stack(buf, true)]
}
