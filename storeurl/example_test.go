package storeurl_test

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/memorystore"
	"github.com/cleatdev/cleat/storeurl"
)

// shardedOptions reads a URL such as sharded://?shard=3.
func shardedOptions(u *storeurl.URL) (*memorystore.Options, error) {
	shard := u.Int("shard")
	if shard > 9 {
		u.Refuse("shard", "there are shards 0 to 9")
	}
	return &memorystore.Options{Prefix: fmt.Sprint(u.Text("prefix"), shard)}, u.Check()
}

// An adapter of your own gets a scheme of its own.
func ExampleNewScheme() {
	sharded := storeurl.NewScheme("sharded", []string{"shard"}, shardedOptions,
		func(_ context.Context, o *memorystore.Options) (*memorystore.Store, error) {
			return memorystore.New(nil, o), nil
		},
		func(_ context.Context, o *memorystore.Options) (*memorystore.BigSegments, error) {
			return memorystore.NewBigSegments(nil, o), nil
		})
	registry := backends.New(memorystore.Schemes(), []storeurl.Scheme{sharded})
	backend, err := registry.Open(context.Background(), "sharded://?shard=3&cache=off")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(backend.Cache.Mode, backend.Store.Close())
	_, err = registry.Open(context.Background(), "sharded://?shard=10")
	fmt.Println(err)
	// Output:
	// off <nil>
	// backends: opening sharded://: cleat: invalid argument: parameter shard: there are shards 0 to 9
}
