package sqlitestore_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain also runs the child processes that tests start from this same program.
func TestMain(m *testing.M) {
	if role, isChild := os.LookupEnv(childRole); isChild {
		os.Exit(runChild(role))
	}
	goleak.VerifyTestMain(m)
}
