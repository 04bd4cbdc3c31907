// Command bigsegments fills a store of big segments from the flag service, as Relay Proxy would, and evaluates a flag
// that depends on one. Big segments are too large to be held in memory: only what a store says of the one context is
// read.
//
//	CLEAT_SDK_KEY=sdk-… go run ./examples/bigsegments -store redis://localhost:6379 -flag new-checkout -key ana
//
// Where a Relay Proxy already fills the store, leave out the synchroniser and keep the rest.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/core"
)

type options struct{ sdkKey, service, store, flag, context string }

func main() {
	o := options{sdkKey: os.Getenv("CLEAT_SDK_KEY")}
	flag.StringVar(&o.service, "service", "", "base URI of the flag service; empty means the public one")
	flag.StringVar(&o.store, "store", "memory://", "URL of the store for big segments")
	flag.StringVar(&o.flag, "flag", "new-checkout", "key of a boolean flag")
	flag.StringVar(&o.context, "key", "ana", "key of the context to evaluate it for")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0), o)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, o options) (err error) {
	backend, err := all.Registry().OpenBigSegments(ctx, o.store)
	if err != nil {
		return err
	}
	store := backend.Store
	endpoints := core.ServiceEndpoints{Streaming: o.service, Polling: o.service, Events: o.service}
	stop, err := synchronize(ctx, store, core.ClientSettings{SDKKey: o.sdkKey, Endpoints: endpoints})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	client, err := cleat.New(ctx, cleat.Config{SDKKey: o.sdkKey, Endpoints: endpoints, BigSegmentStore: store})
	if err != nil {
		stop()
		return err // New has closed the store
	}
	defer func() {
		stop() // first, because the client closes the store
		err = errors.Join(err, client.Close())
	}()
	value, detail := client.BoolVariationDetail(ctx, o.flag, ldcontext.New(o.context), false)
	out.Printf("%s is %t for %s (%s, big segments %s)",
		o.flag, value, o.context, detail.Reason, detail.Reason.GetBigSegmentsStatus())
	return nil
}
