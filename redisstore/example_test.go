package redisstore_test

import (
	"context"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/redisstore"
)

// A store can be opened before its server is up; what is wrong with the URL is known at once.
func ExampleOpen() {
	ctx := context.Background()
	store, err := redisstore.Open(ctx, "rediss://app:"+os.Getenv("REDIS_PASSWORD")+"@redis.example.com/0",
		&redisstore.Options{Prefix: "production"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.DescribeConfiguration(core.ClientConfiguration{}))
	fmt.Println(store.Close())
	// Output:
	// "Redis"
	// <nil>
}

// A mistake in a URL is explained without repeating the URL, which has a password in it.
func ExampleOpen_mistake() {
	_, err := redisstore.Open(context.Background(), "redis://:secret@localhost?pool_size=many", nil)
	fmt.Println(err)
	// Output: redisstore: cleat: invalid argument: the URL has an unusable value for the parameter pool_size
}

// A client that the program has anyway can be shared, and stays open.
func ExampleNew() {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close() //nolint:errcheck // an example
	store, err := redisstore.New(ctx, client, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Close())
	_, _, err = store.Get(ctx, core.Flags, "a-flag")
	fmt.Println(err)
	// Output:
	// <nil>
	// redisstore: cleat: store is closed
}

// Sentinels are listed with the name by which they know the primary.
func ExampleOpen_sentinel() {
	store, err := redisstore.Open(context.Background(), "redis+sentinel://host1:26379,host2:26379/mymaster", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Close())
	// Output: <nil>
}

// On a Redis Cluster, a store writes under a prefix with a hash tag, which keeps all keys in one slot.
func ExampleOpen_cluster() {
	store, err := redisstore.Open(context.Background(), "redis+cluster://host1:6379,host2:6379",
		&redisstore.Options{Prefix: "{production}"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Close())
	// Output: <nil>
}

// Big segments are kept beside the flags, by a store of their own.
func ExampleNewBigSegments() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close() //nolint:errcheck // an example
	segments, err := redisstore.NewBigSegments(context.Background(), client, &redisstore.Options{Prefix: "production"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(segments.Close())
	// Output: <nil>
}
