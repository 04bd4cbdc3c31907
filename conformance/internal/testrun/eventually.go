package testrun

import (
	"testing"
	"time"
)

// Eventually calls wrong again and again until it returns "", and ends the test as failed if that takes longer than wait.
func Eventually(t testing.TB, wait time.Duration, what string, wrong func() string) {
	t.Helper()
	const pause = 10 * time.Millisecond
	again, deadline := time.NewTicker(pause), time.After(wait)
	defer again.Stop()
	for {
		problem := wrong()
		if problem == "" {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s: after %v still %s", what, wait, problem)
		}
	}
}
