package redisstore

import (
	"flag"
	"testing"

	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/containers"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // They wait for servers far more than they compute.
		panic(err)
	}
	logging.Disable() // The driver tells the standard error of every Sentinel that it asks.
	// Links of the fault-injecting proxy stay blocked when it drops their data.
	options := []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
	}
	for _, function := range containers.BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(containers.WithCleanup(m), options...)
}
