// Command redis keeps flags in Redis and goes on evaluating one when Redis goes away. It prints what the flag is whenever
// the store becomes unavailable or available again, until it is interrupted.
//
//	go run ./examples/redis redis://localhost:6379 examples/quickstart/flags.yaml
//
// Parameters of the URL say how long flags may be used before they are read again, for how much longer if Redis does not
// answer, and how long it may take to answer; see package backends for all of them:
//
//	redis://localhost:6379?prefix=shop&cache=30s&max_stale=24h&read_timeout=500ms&password_file=/run/secrets/redis
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/redisstore"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: redis STORE-URL FLAG-FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0), os.Args[1], os.Args[2])
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, storeURL, flagFile string) (err error) {
	backend, err := backends.New(redisstore.Schemes()).Open(ctx, storeURL)
	if err != nil {
		return err
	}
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{flagFile}}),
		Store:      backend.Store,
		Cache:      backend.Cache,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	statuses := make(chan core.DataStoreStatus)
	remove := client.DataStoreStatus().AddListener(func(status core.DataStoreStatus) {
		select {
		case statuses <- status:
		case <-ctx.Done():
		}
	})
	defer remove()
	for status := client.DataStoreStatus().Status(); ; {
		// During an outage this takes no longer than at any other time: no caller waits for a server that does not answer.
		limit, detail := client.IntVariationDetail(ctx, "cart-max-lines", ldcontext.New("ana"), 50)
		out.Printf("redis available: %t, cart limit: %d (%s)", status.Available, limit, detail.Reason)
		select {
		case status = <-statuses:
		case <-ctx.Done():
			return nil
		}
	}
}
