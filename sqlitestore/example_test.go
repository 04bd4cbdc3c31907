package sqlitestore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func ExampleNew() {
	dir, err := os.MkdirTemp("", "cleat")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	ctx := context.Background()

	store, err := sqlitestore.New(ctx, filepath.Join(dir, "flags.db"), &sqlitestore.Options{Prefix: "production"})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // an example

	newer := core.SerializedItem{Version: 2, Data: []byte(`{"key":"dark-mode","version":2,"on":true}`)}
	older := core.SerializedItem{Version: 1, Data: []byte(`{"key":"dark-mode","version":1,"on":false}`)}
	for _, item := range []core.SerializedItem{newer, older} {
		result, err := store.Upsert(ctx, core.Flags, "dark-mode", item)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Written, string(result.Item.Data))
	}
	// Output:
	// true {"key":"dark-mode","version":2,"on":true}
	// false {"key":"dark-mode","version":2,"on":true}
}

func ExampleNew_notADatabase() {
	dir, err := os.MkdirTemp("", "cleat")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	path := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(path, []byte("Remember the milk."), 0o600); err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	store, err := sqlitestore.New(ctx, path, &sqlitestore.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // an example
	err = store.CheckAvailability(ctx)
	content, _ := os.ReadFile(path)
	fmt.Println(errors.Is(err, core.ErrUnavailable), string(content))
	// Output: true Remember the milk.
}

func ExampleNewBigSegments() {
	dir, err := os.MkdirTemp("", "cleat")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	ctx := context.Background()

	segments, err := sqlitestore.NewBigSegments(ctx, filepath.Join(dir, "flags.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer segments.Close() //nolint:errcheck // an example

	hash := core.BigSegmentContextHash("user-1")
	applied, err := segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "beta-testers.g1", Version: "100", Included: core.BigSegmentChanges{Add: []string{hash}},
	})
	if err != nil {
		log.Fatal(err)
	}
	membership, err := segments.Membership(ctx, hash)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(applied, membership.CheckMembership("beta-testers.g1"), membership.CheckMembership("other.g1"))
	// Output: true true [none]
}
