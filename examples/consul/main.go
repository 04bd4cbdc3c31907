// Command consul publishes flags to Consul for other services: it writes the flags of a file whenever that changes, and
// prints which flags have changed, until it is interrupted. The others read them as examples/daemon does, with any
// token that may read.
//
//	go run ./examples/consul 'consul://localhost:8500?prefix=shop' examples/quickstart/flags.yaml
//	go run ./examples/daemon 'consul://localhost:8500?prefix=shop'
//
// Where Consul asks for a token, the URL names the file that it is in, so that it stands in no configuration and no list
// of processes:
//
//	consuls://consul.example.com:8501?prefix=shop&token_file=/run/secrets/consul
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/filedata"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: consul STORE-URL FLAG-FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, log.New(os.Stdout, "", 0), os.Args[1], os.Args[2])
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, storeURL, flagFile string) (err error) {
	backend, err := backends.New(consulstore.Schemes()).Open(ctx, storeURL)
	if err != nil {
		return err
	}
	// A client would go on without its database. What is here to publish has no use without it.
	if _, err := backend.Store.Initialized(ctx); err != nil {
		return errors.Join(fmt.Errorf("consul cannot be used: %w", err), backend.Store.Close())
	}
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{flagFile}, Reload: true}),
		Store:      backend.Store,
		Cache:      backend.Cache,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	// It would go on without its flag file too.
	if err := client.WaitFor(ctx, core.DataSourceValid); err != nil {
		return fmt.Errorf("there is nothing to publish: %w", err)
	}

	changes := make(chan core.FlagChange)
	remove := client.FlagTracker().AddFlagChangeListener(func(change core.FlagChange) {
		select {
		case changes <- change:
		case <-ctx.Done():
		}
	})
	defer remove()
	out.Print("published")
	for {
		select {
		case change := <-changes:
			out.Printf("changed: %s", change.Key)
		case <-ctx.Done():
			return nil
		}
	}
}
