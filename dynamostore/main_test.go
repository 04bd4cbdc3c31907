package dynamostore

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/internal/storetest"
)

func TestMain(m *testing.M) {
	options := storetest.IgnoreProxies()
	for _, function := range containers.BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(containers.WithCleanup(m), options...)
}
