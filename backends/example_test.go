package backends_test

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/memorystore"
)

func ExampleRegistry_Open() {
	stores := backends.New(memorystore.Schemes())
	backend, err := stores.Open(context.Background(), "memory://?cache=30s")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Store.Close()
	fmt.Println(backend.Cache.Mode)
	_, err = stores.Open(context.Background(), "memory://?cash=30s")
	fmt.Println(err)
	_, err = stores.Open(context.Background(), "redis://localhost")
	fmt.Println(err)
	// Output:
	// 30s
	// backends: memory://: cleat: invalid argument: parameter cash: it is unknown; known are cache, capacity, init_timeout, max_stale, prefix, read_all_timeout, read_timeout, watch, write_timeout
	// backends: cleat: invalid argument: redis:// needs github.com/cleatdev/cleat/redisstore: add redisstore.Schemes() to the registry, as in backends.New(redisstore.Schemes()), or use backends/all
}
