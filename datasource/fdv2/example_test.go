package fdv2_test

import (
	"context"
	"fmt"
	"log"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/datasource/fdv2"
)

// A client that polls once, streams from then on, and polls while the stream does not work.
func ExampleDefault() {
	ctx := context.Background()
	client, err := cleat.New(ctx, cleat.Config{
		SDKKey: "sdk-1234", DataSystem: fdv2.Default(fdv2.StreamingOptions{}, fdv2.PollingOptions{}),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.BoolVariation(ctx, "express-checkout", ldcontext.New("ana"), false))
	if err := client.Close(); err != nil {
		log.Fatal(err)
	}
}
