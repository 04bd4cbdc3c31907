package testrun

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
)

// recorder is a T that keeps failures to itself. It embeds the test that it runs in for everything that does not
// concern the outcome.
type recorder struct {
	testing.TB
	name   string
	root   *Outcomes
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	failed   bool
	cleanups []func()
}

// Record runs those subtests of a suite that only names, by complete names of subtests or groups; all if it is nil. It
// returns how they ended. They are cleaned up after, have ended when it returns, and do not make t fail.
func Record(t testing.TB, only []string, run func(t T)) *Outcomes {
	o := &Outcomes{only: only, Failed: make(map[string]string)}
	newRecorder(t, "", o).runHere(run)
	return o
}

func newRecorder(t testing.TB, name string, o *Outcomes) *recorder {
	ctx, cancel := context.WithCancel(context.Background())
	return &recorder{TB: t, name: name, root: o, ctx: ctx, cancel: cancel}
}

// runHere runs f to its end, on another goroutine because FailNow ends that.
func (r *recorder) runHere(f func(t T)) {
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

func (r *recorder) Run(name string, f func(t T)) bool {
	sub := newRecorder(r.TB, strings.TrimPrefix(r.name+"/"+name, "/"), r.root)
	if !r.root.runs(sub.name) {
		return true
	}
	r.root.started(sub.name)
	sub.runHere(f)
	return !sub.Failed()
}

func (r *recorder) report(message string) {
	r.mu.Lock()
	r.failed = true
	r.mu.Unlock()
	r.root.report(r.name, message)
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
