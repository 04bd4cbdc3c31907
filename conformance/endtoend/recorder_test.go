package endtoend

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder is a tester that keeps failures to itself. It embeds the test that it runs in for everything that does not
// concern the outcome.
type recorder struct {
	testing.TB
	name   string
	root   *outcomes
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	failed   bool
	cleanups []func()
}

// outcomes is what a recorded run ended with, by the names of subtests that have none of their own.
type outcomes struct {
	only func(name string) bool // the subtests that are run

	mu     sync.Mutex
	ran    []string
	failed map[string]string // with what was reported first
}

// record runs those subtests of a suite that only names, and returns how they ended.
func record(t testing.TB, only func(name string) bool, run func(t tester)) *outcomes {
	o := &outcomes{only: only, failed: make(map[string]string)}
	newRecorder(t, "", o).runHere(run)
	return o
}

func newRecorder(t testing.TB, name string, o *outcomes) *recorder {
	ctx, cancel := context.WithCancel(context.Background())
	return &recorder{TB: t, name: name, root: o, ctx: ctx, cancel: cancel}
}

// runHere runs f to its end, on another goroutine because FailNow ends that.
func (r *recorder) runHere(f func(t tester)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.cleanUp()
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		f(r)
	}()
	<-done
}

func (r *recorder) cleanUp() {
	r.cancel()
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		last()
	}
}

func (r *recorder) Run(name string, f func(t tester)) bool {
	sub := newRecorder(r.TB, strings.TrimPrefix(r.name+"/"+name, "/"), r.root)
	if !r.root.only(sub.name) {
		return true
	}
	r.root.mu.Lock()
	r.root.ran = append(r.root.ran, sub.name)
	r.root.mu.Unlock()
	sub.runHere(f)
	return !sub.Failed()
}

func (r *recorder) report(message string) {
	r.mu.Lock()
	r.failed = true
	r.mu.Unlock()
	r.root.mu.Lock()
	defer r.root.mu.Unlock()
	if r.root.failed[r.name] == "" {
		r.root.failed[r.name] = message
	}
}

func (r *recorder) Name() string             { return r.TB.Name() + "/" + r.name }
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Helper()                  {}
func (r *recorder) Log(...any)               {}
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) Fail()                    { r.report("failed") }
func (r *recorder) Error(args ...any)        { r.report(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.report(fmt.Sprintf(format, args...))
}

func (r *recorder) FailNow() {
	r.Fail()
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// requireFailures asserts that the subtests in must failed, and no others but those in may. A name that ends in "*" stands
// for all that begin so.
func (o *outcomes) requireFailures(t *testing.T, must, may []string) {
	t.Helper()
	for _, name := range must {
		require.Contains(t, o.ran, name, "there is no such subtest")
		require.Contains(t, o.failed, name, "the subtest that is meant for this passed")
	}
	for name, message := range o.failed {
		if !matches(must, name) && !matches(may, name) {
			t.Errorf("%s failed too: %.900s", name, message)
		}
	}
}

func matches(patterns []string, name string) bool {
	for _, pattern := range patterns {
		group, isGroup := strings.CutSuffix(pattern, "*")
		if pattern == name || isGroup && strings.HasPrefix(name, group) {
			return true
		}
	}
	return false
}
