// Command streaming prints what a flag is for one context, and then every change of it, until it is interrupted. The flag
// comes over a connection that the flag service keeps open, which is what a client does by default.
//
//	CLEAT_SDK_KEY=sdk-… go run ./examples/streaming -flag new-checkout
//	CLEAT_SDK_KEY=sdk-… go run ./examples/streaming -flag new-checkout -relay https://relay.example.com
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
)

func main() {
	key := flag.String("flag", "new-checkout", "key of a boolean flag")
	relay := flag.String("relay", "", "base URI of a relay; empty means the public flag service")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0), os.Getenv("CLEAT_SDK_KEY"), *relay, *key)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, sdkKey, relay, key string) (err error) {
	client, err := cleat.New(ctx, cleat.Config{
		SDKKey:    sdkKey,
		Endpoints: core.ServiceEndpoints{Streaming: relay, Events: relay},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	visitor := ldcontext.New("ana")
	changes := make(chan core.FlagValueChange)
	remove := client.FlagTracker().AddFlagValueChangeListener(key, visitor, ldvalue.Bool(false),
		func(change core.FlagValueChange) {
			select {
			case changes <- change:
			case <-ctx.Done():
			}
		})
	defer remove()
	out.Printf("%s is %t", key, client.BoolVariation(ctx, key, visitor, false))
	for {
		select {
		case change := <-changes:
			out.Printf("%s was %s and is now %s", key, change.OldValue, change.NewValue)
		case <-ctx.Done():
			return nil
		}
	}
}
