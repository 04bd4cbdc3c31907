package backends_test

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/backends"
)

func ExampleOpen() {
	backend, err := backends.Open(context.Background(), "memory://?cache=30s")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Store.Close()
	fmt.Println(backend.Cache.Mode)
	_, err = backends.Open(context.Background(), "memory://?cash=30s")
	fmt.Println(err)
	// Output:
	// 30s
	// backends: memory://: cleat: invalid argument: parameter cash: it is unknown; known are cache, capacity, init_timeout, max_stale, prefix, read_all_timeout, read_timeout, watch, write_timeout
}
