package ldbridge

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/containers"
)

func TestMain(m *testing.M) {
	var options []goleak.Option
	for _, function := range containers.BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(containers.WithCleanup(m), options...)
}
