package bigsegments_test

import (
	"context"
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func ExampleNewManager() {
	ctx := context.Background()
	store := memorystore.NewBigSegments(nil, nil)
	_, _ = store.ApplyPatch(ctx, core.BigSegmentPatch{ // what a synchroniser does
		SegmentRef: "beta-testers.g1", Version: "1",
		Included: core.BigSegmentChanges{Add: []string{core.BigSegmentContextHash("anna")}},
	})
	_ = store.SetLastUpToDate(ctx, ldtime.UnixMillisNow())

	manager, err := bigsegments.NewManager(store, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = manager.Close() }()
	for _, key := range []string{"anna", "berta"} {
		membership, status := manager.Membership(ctx, key)
		fmt.Println(key, membership.CheckMembership("beta-testers.g1"), status)
	}
	// Output:
	// anna true HEALTHY
	// berta [none] HEALTHY
}
