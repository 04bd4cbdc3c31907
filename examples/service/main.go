// Command service is a client as most services have it: where flags come from and which database keeps them is decided by a file and
// environment variables, which package config reads. It evaluates one flag.
//
//	CLEAT_STORE=redis://localhost:6379 go run ./examples/service examples/service/cleat.yaml
//
// It registers the adapter of Redis and links no other driver. Package backends/all has all of them, for a program that may be told
// to use any.
package main

import (
	"context"
	"errors"
	"log"
	"os"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/config"
	"github.com/cleatdev/cleat/redisstore"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: service CONFIGURATION-FILE")
	}
	if err := run(context.Background(), log.New(os.Stdout, "", 0), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, path string) (err error) {
	cfg, err := config.Load(ctx, path, &config.Options{Registry: backends.New(redisstore.Schemes())})
	if err != nil {
		return err
	}
	client, err := cleat.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	limit, detail := client.IntVariationDetail(ctx, "cart-max-lines", ldcontext.New("ana"), 50)
	out.Printf("cart limit: %d (%s)", limit, detail.Reason)
	return nil
}
