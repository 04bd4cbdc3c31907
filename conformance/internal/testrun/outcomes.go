package testrun

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// Outcomes is what a recorded run ended with, by the names of subtests, which are complete but for the name of the test
// that [Record] was called in.
type Outcomes struct {
	Ran    []string
	Failed map[string]string // with what was reported first

	only []string
	mu   sync.Mutex // guards Ran and Failed while subtests run
}

// runs says whether a subtest, or one of a group of that name, is among those that shall run.
func (o *Outcomes) runs(name string) bool {
	return o.only == nil || slices.ContainsFunc(o.only, func(only string) bool {
		return strings.HasPrefix(only+"/", name+"/") || strings.HasPrefix(name, only+"/")
	})
}

// started notes a subtest.
func (o *Outcomes) started(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Ran = append(o.Ran, name)
}

// report notes that a subtest failed.
func (o *Outcomes) report(name, message string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.Failed[name] == "" {
		o.Failed[name] = message
	}
}

// RequireFailures asserts that the subtests in must failed, and no others but those in may. All of them must have run.
func (o *Outcomes) RequireFailures(t testing.TB, must, may []string) {
	t.Helper()
	for _, name := range slices.Concat(must, may) {
		if !slices.Contains(o.Ran, name) {
			t.Fatalf("there is no subtest %s among %q", name, o.Ran)
		}
	}
	for _, name := range must {
		if _, failed := o.Failed[name]; !failed {
			t.Fatalf("the subtest that is meant for this passed: %s; failed are %q", name, o.Failed)
		}
	}
	for name, message := range o.Failed {
		if !slices.Contains(must, name) && !slices.Contains(may, name) {
			t.Errorf("%s failed too: %.900s", name, message)
		}
	}
}
