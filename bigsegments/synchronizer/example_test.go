package synchronizer_test

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func ExampleNew() {
	store := memorystore.NewBigSegments(nil, nil)
	defer func() { _ = store.Close() }()
	s, err := synchronizer.New(core.ClientSettings{SDKKey: "sdk-key"}, store, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // a program would go on
	s.Start(ctx)
	<-s.Done()
	fmt.Println(s.Status().State)
	// Output: off
}
