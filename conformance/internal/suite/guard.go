package suite

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/cleatdev/cleat/internal/lifecycle"
)

// ErrHung and ErrPanicked are what a guarded call returns if the store did not return at all.
var (
	ErrHung     = errors.New("the call hung")
	ErrPanicked = errors.New("the call panicked")
)

// DefaultTimeout is for how long a call may take.
const DefaultTimeout = 30 * time.Second

// Guard makes calls into a store so that one that hangs or panics fails its subtest instead of the whole test run.
type Guard struct {
	t       testing.TB
	timeout time.Duration
}

// NewGuard returns a guard that reports to t calls that take longer; than [DefaultTimeout] if timeout is zero.
func NewGuard(t testing.TB, timeout time.Duration) Guard {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return Guard{t: t, timeout: timeout}
}

// Patient returns a guard for calls on very large data.
func (g Guard) Patient() Guard {
	const factor = 4
	g.timeout *= factor
	return g
}

// Timeout returns for how long a call may take.
func (g Guard) Timeout() time.Duration { return g.timeout }

// Do returns what f returns, as [Guarded] does.
func (g Guard) Do(name string, f func() error) error {
	_, err := Guarded(g, name, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// Guarded returns what f returns. If f does not return in time, its goroutine is left behind.
func Guarded[R any](g Guard, name string, f func() (R, error)) (R, error) {
	type outcome struct {
		result R
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: ErrPanicked}
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
		return none, fmt.Errorf("%s: %w", name, ErrHung)
	}
}

// Bounds returns what bounds a store in the way everything in cleat calls one: by [lifecycle.Bound], whose business it is that a
// call ends with its context and with Close. It leaves it to the guard to notice a call that hangs.
func (g Guard) Bounds() (*lifecycle.Group, lifecycle.Limits) {
	return lifecycle.New("conformance", slog.New(slog.DiscardHandler)),
		lifecycle.Limits{Read: g.timeout, ReadAll: g.timeout, Write: g.timeout, Init: g.timeout}
}

func stacks() []byte {
	const enough = 64 << 10
	buf := make([]byte, enough)
	return buf[:runtime.Stack(buf, true)]
}
