package dynamostore_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/dynamostore"
)

// A store can be opened before its table can be reached.
func ExampleOpen() {
	store, err := dynamostore.Open(context.Background(), "feature-flags", &dynamostore.Options{
		Prefix: "production", Region: "eu-central-1",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.DescribeConfiguration(core.ClientConfiguration{}))
	fmt.Println(store.Close())
	// Output:
	// "DynamoDB"
	// <nil>
}

// A client that the program has anyway can be shared, and stays usable.
func ExampleNew() {
	ctx := context.Background()
	client := dynamodb.New(dynamodb.Options{Region: "eu-central-1"})
	store, err := dynamostore.New(ctx, client, "feature-flags", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Close())
	_, _, err = store.Get(ctx, core.Flags, "a-flag")
	fmt.Println(err)
	// Output:
	// <nil>
	// dynamostore: table feature-flags: cleat: store is closed
}

// Big segments are kept beside the flags, by a store of their own.
func ExampleNewBigSegments() {
	client := dynamodb.New(dynamodb.Options{Region: "eu-central-1"})
	segments, err := dynamostore.NewBigSegments(context.Background(), client, "feature-flags", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(segments.Close())
	// Output: <nil>
}
