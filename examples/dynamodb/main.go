// Command dynamodb makes a table, keeps flags and big segments in it, and evaluates a flag.
//
//	AWS_REGION=eu-central-1 go run ./examples/dynamodb flags examples/quickstart/flags.yaml
//
// Credentials, region and endpoint are found as every AWS program finds them. With DynamoDB Local:
//
//	AWS_ENDPOINT_URL=http://localhost:8000 AWS_REGION=local AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any \
//		go run ./examples/dynamodb flags examples/quickstart/flags.yaml
package main

import (
	"context"
	"errors"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/dynamostore"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: dynamodb TABLE FLAG-FILE")
	}
	if err := run(context.Background(), log.New(os.Stdout, "", 0), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, table, flagFile string) (err error) {
	if err := createTable(ctx, table); err != nil {
		return err
	}
	stores := backends.New(dynamostore.Schemes())
	backend, err := stores.Open(ctx, "dynamodb://"+table)
	if err != nil {
		return err
	}
	bigSegments, err := stores.OpenBigSegments(ctx, "dynamodb://"+table)
	if err != nil {
		return errors.Join(err, backend.Store.Close())
	}
	client, err := cleat.New(ctx, cleat.Config{
		DataSource:      filedata.Source(filedata.Options{Paths: []string{flagFile}}),
		Store:           backend.Store,
		Cache:           backend.Cache,
		BigSegmentStore: bigSegments.Store, // filled by Relay Proxy, or as in examples/bigsegments
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	visitor := ldcontext.NewBuilder("ana").SetString("country", "DE").Build()
	express, detail := client.BoolVariationDetail(ctx, "checkout-express-button", visitor, false)
	out.Printf("express checkout: %t (%s)", express, detail.Reason)
	out.Printf("flags available: %t, big segments available: %t, stale: %t", client.DataStoreStatus().Status().Available,
		client.BigSegmentStoreStatus().Status().Available, client.BigSegmentStoreStatus().Status().Stale)
	return nil
}

// createTable does nothing if the table is there. Where a deployment makes it, leave this out: it is the only thing that
// needs the permission to create tables.
func createTable(ctx context.Context, table string) error {
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	return dynamostore.CreateTable(ctx, dynamodb.NewFromConfig(aws), table)
}
