// Command quickstart evaluates two flags.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/sqlitestore"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	store, err := sqlitestore.New(ctx, "flags.db", nil)
	if err != nil {
		return err
	}
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{"flags.yaml"}, Reload: true}),
		Store:      store, // leave it out to keep flags in memory only
	})
	if err != nil {
		return err
	}

	visitor := ldcontext.NewBuilder("ana").SetString("country", "DE").Build()
	if client.BoolVariation(ctx, "checkout-express-button", visitor, false) {
		fmt.Println("express checkout")
	}
	limit, detail := client.IntVariationDetail(ctx, "cart-max-lines", visitor, 50)
	fmt.Println("cart limit:", limit, detail.Reason)
	return client.Close()
}
