package memorystore_test

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// Two stores on one database see each other's writes, as two processes that share a server do.
func ExampleNew() {
	ctx := context.Background()
	db := new(memorystore.Database)
	writer := memorystore.New(db, &memorystore.Options{Prefix: "production"})
	reader := memorystore.New(db, &memorystore.Options{Prefix: "production"})
	defer func() { _, _ = writer.Close(), reader.Close() }()

	flag := core.SerializedItem{Version: 2, Data: []byte(`{"key":"new-checkout","version":2}`)}
	if _, err := writer.Upsert(ctx, core.Flags, "new-checkout", flag); err != nil {
		fmt.Println(err)
		return
	}
	item, found, err := reader.Get(ctx, core.Flags, "new-checkout")
	fmt.Println(string(item.Data), found, err)
	// Output: {"key":"new-checkout","version":2} true <nil>
}

func ExampleNewBigSegments() {
	ctx := context.Background()
	segments := memorystore.NewBigSegments(nil, nil)
	defer func() { _ = segments.Close() }()

	hash := core.BigSegmentContextHash("user-1")
	_, err := segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "beta-testers.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{hash}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	membership, err := segments.Membership(ctx, hash)
	fmt.Println(membership.CheckMembership("beta-testers.g1"), err)
	// Output: true <nil>
}
