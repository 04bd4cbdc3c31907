// The program evaluates a flag and a big segment with LaunchDarkly's SDK, from a database that another process fills. It is
// here twice: the directories before and after differ in four lines, by which it changes from LaunchDarkly's store for
// Redis to any store of cleat's.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/ldbridge"
)

func main() {
	if err := run(os.Stdout, os.Getenv("FLAG_STORE")); err != nil {
		log.Fatal(err)
	}
}

// run evaluates with the store at a URL such as redis://localhost:6379. Without the line DataSource, the program would get its
// flags from LaunchDarkly, and fill the store itself.
func run(out io.Writer, store string) error {
	client, err := ld.MakeCustomClient(os.Getenv("SDK_KEY"), ld.Config{
		DataSource:  ldcomponents.ExternalUpdatesOnly(),
		DataStore:   ldcomponents.PersistentDataStore(ldbridge.DataStoreURL(all.Registry(), store)),
		BigSegments: ldcomponents.BigSegments(ldbridge.BigSegmentStoreURL(all.Registry(), store)),
		Events:      ldcomponents.NoEvents(),
		Logging:     ldcomponents.NoLogging(),
	}, 5*time.Second)
	if err != nil {
		return err
	}
	for _, key := range []string{"ana", "bob"} {
		_, detail, err := client.BoolVariationDetail("for-a-crowd", ldcontext.New(key), false)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, key, detail.Value, detail.Reason); err != nil {
			return err
		}
	}
	return client.Close()
}
