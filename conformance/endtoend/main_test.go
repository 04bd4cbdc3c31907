package endtoend

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/internal/storetest"
)

// TestMain runs more tests at once than there are processors: they wait for servers most of the time.
func TestMain(m *testing.M) {
	const atOnce = 6
	if err := flag.Set("test.parallel", strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0)))); err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	options := storetest.IgnoreProxies()
	for _, function := range containers.BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(containers.WithCleanup(m), options...)
}
