// Command memory keeps flags where CLEAT_STORE says, and in memory if it says nothing: the same program needs no server
// on a developer's machine and a database where it is deployed.
//
//	go run ./examples/memory examples/quickstart/flags.yaml
//	CLEAT_STORE='redis://localhost:6379?prefix=shop' go run ./examples/memory examples/quickstart/flags.yaml
//
// A program that never wants a database leaves Config.Store out, which is memory too, without a cache before it.
package main

import (
	"cmp"
	"context"
	"errors"
	"log"
	"os"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/datasource/filedata"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: memory FLAG-FILE")
	}
	storeURL := cmp.Or(os.Getenv("CLEAT_STORE"), "memory://")
	if err := run(context.Background(), log.New(os.Stdout, "", 0), storeURL, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, storeURL, flagFile string) (err error) {
	backend, err := all.Registry().Open(ctx, storeURL)
	if err != nil {
		return err
	}
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{flagFile}}),
		Store:      backend.Store,
		Cache:      backend.Cache, // what the URL says of the cache is for the client
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	visitor := ldcontext.NewBuilder("ana").SetString("country", "DE").Build()
	limit, detail := client.IntVariationDetail(ctx, "cart-max-lines", visitor, 50)
	out.Printf("cart limit: %d (%s)", limit, detail.Reason)
	return nil
}
