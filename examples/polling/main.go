// Command polling asks the flag service once for everything, prints the values that a front end may know as JSON for it
// to start with, and ends. It is for networks in which no connection can stay open; a client that lives longer polls
// again at intervals.
//
//	CLEAT_SDK_KEY=sdk-… go run ./examples/polling
//
// Relay Proxy answers no polls of server-side SDKs: examples/streaming is how to use one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
)

// startWait is longer than by default, because there is nothing to do without flags.
const startWait = 20 * time.Second

func main() {
	service := flag.String("service", "", "base URI of the flag service; empty means the public one")
	flag.Parse()
	if err := run(context.Background(), log.New(os.Stdout, "", 0), os.Getenv("CLEAT_SDK_KEY"), *service); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, sdkKey, service string) (err error) {
	client, err := cleat.New(ctx, cleat.Config{
		SDKKey:     sdkKey,
		Endpoints:  core.ServiceEndpoints{Polling: service, Events: service},
		DataSource: polling.Source(polling.Options{Interval: time.Minute}),
		StartWait:  startWait,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if !client.Initialized(ctx) {
		return fmt.Errorf("no flags have come: %s", client.DataSourceStatus().Status().LastError)
	}

	visitor := ldcontext.NewBuilder("ana").SetString("country", "DE").Build()
	state := client.AllFlagsState(ctx, visitor, cleat.ClientSideOnly())
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	out.Printf("%s", text)
	return nil
}
