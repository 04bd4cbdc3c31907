// Command daemon has no data source: it reads a flag from a store that another process fills, prints what it is for
// one context, and then every change that the other process makes, until it is interrupted.
//
//	(cd examples/quickstart && go run .) # fills flags.db; run it again after each edit of flags.yaml
//	go run ./examples/daemon sqlite://$PWD/examples/quickstart/flags.db
//
// Any store that package backends opens will do. Where the database tells of changes, they show at once, otherwise when
// what is cached expires and the flag is evaluated.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/core"
)

const (
	flagKey      = "cart-max-lines"
	defaultLimit = 50
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: daemon STORE-URL")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0), os.Args[1])
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, storeURL string) (err error) {
	backend, err := all.Registry().Open(ctx, storeURL)
	if err != nil {
		return err
	}
	client, err := cleat.New(ctx, cleat.Config{Daemon: true, Store: backend.Store, Cache: backend.Cache})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if !client.Initialized(ctx) {
		out.Print("the store has not been filled yet")
	}

	visitor := ldcontext.New("ana")
	changes := make(chan core.FlagValueChange)
	remove := client.FlagTracker().AddFlagValueChangeListener(flagKey, visitor, ldvalue.Int(defaultLimit),
		func(change core.FlagValueChange) {
			select {
			case changes <- change:
			case <-ctx.Done():
			}
		})
	defer remove()
	out.Printf("cart limit: %d", client.IntVariation(ctx, flagKey, visitor, defaultLimit))
	for {
		select {
		case change := <-changes:
			out.Printf("new cart limit: %s", change.NewValue)
		case <-ctx.Done():
			return nil
		}
	}
}
