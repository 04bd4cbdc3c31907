package conformance

import (
	"bytes"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

// differs says how what a store returned differs from what was stored, or "" if it does not. A store may leave out the
// version and the deleted mark, which are in the JSON, but must not get them wrong.
func differs(got, want core.SerializedItem) string {
	switch {
	case !bytes.Equal(got.Data, want.Data):
		return fmt.Sprintf("the JSON is %s, want %s", brief(got.Data), brief(want.Data))
	case got.Version != 0 && got.Version != want.Version:
		return fmt.Sprintf("the version is %d, want %d or 0", got.Version, want.Version)
	case got.Deleted && !want.Deleted:
		return "it is marked as deleted"
	}
	return ""
}

// differsInAll says how what GetAll returned differs from the items that should be there, or "".
func differsInAll(got, want []core.KeyedSerializedItem) string {
	expected := make(map[string]core.SerializedItem, len(want))
	for _, item := range want {
		expected[item.Key] = item.Item
	}
	seen := make(map[string]bool, len(got))
	for _, item := range got {
		wanted, found := expected[item.Key]
		switch {
		case !found:
			return fmt.Sprintf("key %s should not be there", briefKey(item.Key))
		case seen[item.Key]:
			return fmt.Sprintf("key %s is there twice", briefKey(item.Key))
		}
		if d := differs(item.Item, wanted); d != "" {
			return fmt.Sprintf("key %s: %s", briefKey(item.Key), d)
		}
		seen[item.Key] = true
	}
	for _, item := range want {
		if !seen[item.Key] {
			return fmt.Sprintf("key %s is missing (%d of %d are there)", briefKey(item.Key), len(got), len(want))
		}
	}
	return ""
}

// differsInResult says how the result of an upsert differs from what it should be, or "".
func differsInResult(got core.UpsertResult, item core.SerializedItem, written bool) string {
	if got.Written != written {
		return fmt.Sprintf("Written is %t, want %t", got.Written, written)
	}
	if d := differs(got.Item, item); d != "" {
		return "the item said to be in the database is wrong: " + d
	}
	return ""
}

// brief returns data for a message, cut if it is long.
func brief(data []byte) string {
	const limit = 200
	if len(data) <= limit {
		return fmt.Sprintf("%q", data)
	}
	return fmt.Sprintf("%q… (%d bytes)", data[:limit], len(data))
}

func briefKey(key string) string { return brief([]byte(key)) }
