package consulstore_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"

	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/core"
)

// A store can be opened before its server is up; what is wrong with the options is known at once.
func ExampleOpen() {
	store, err := consulstore.Open(context.Background(), &consulstore.Options{
		Address: "consul.example.com:8501",
		TLS:     &tls.Config{MinVersion: tls.VersionTLS13},
		Token:   os.Getenv("FLAGS_TOKEN"),
		Prefix:  "production",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.DescribeConfiguration(core.ClientConfiguration{}))
	fmt.Println(store.Close())
	// Output:
	// "Consul"
	// <nil>
}

// A mistake in the options is explained without repeating what may be secret.
func ExampleOpen_mistake() {
	_, err := consulstore.Open(context.Background(), &consulstore.Options{Address: "https://token:secret@consul.example.com"})
	fmt.Println(err)
	// Output:
	// consulstore: cleat: invalid argument: the address must not have a user name or password; the token is an option of its own
}

// A client that the program has anyway can be shared, and stays open.
func ExampleNew() {
	ctx := context.Background()
	client, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := consulstore.New(ctx, client, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Close())
	_, _, err = store.Get(ctx, core.Flags, "a-flag")
	fmt.Println(err)
	// Output:
	// <nil>
	// consulstore: cleat: store is closed
}

// Big segments are kept by a store of their own, under a prefix that does not begin with that of the flags.
func ExampleNewBigSegments() {
	client, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	segments, err := consulstore.NewBigSegments(context.Background(), client, nil) // under cleat-big-segments
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(segments.Close())
	// Output: <nil>
}

// OpenBigSegments takes the same options as Open.
func ExampleOpenBigSegments() {
	segments, err := consulstore.OpenBigSegments(context.Background(), &consulstore.Options{Prefix: "segments-of-production"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(segments.Close())
	// Output: <nil>
}
