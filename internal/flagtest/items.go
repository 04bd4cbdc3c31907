// Package flagtest is what the tests of the client and of its parts share: flags and segments, listeners, and a store that fails.
package flagtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// Keyed returns an item with its key.
func Keyed(t testing.TB, key, json string) core.KeyedItem {
	t.Helper()
	item, err := core.ParseItem([]byte(json))
	require.NoError(t, err)
	return core.KeyedItem{Key: key, Item: item}
}

// Items makes collections from keys and JSON; a key that begins with "segment" is a segment.
func Items(t testing.TB, keysAndJSON ...string) []core.Collection {
	t.Helper()
	flags, segments := core.Collection{Kind: core.Flags}, core.Collection{Kind: core.Segments}
	for i := 0; i < len(keysAndJSON); i += 2 {
		item := Keyed(t, keysAndJSON[i], keysAndJSON[i+1])
		if strings.HasPrefix(item.Key, "segment") {
			segments.Items = append(segments.Items, item)
		} else {
			flags.Items = append(flags.Items, item)
		}
	}
	return []core.Collection{flags, segments}
}

// OnFlag returns the JSON of a flag that is on and has one value for everyone.
func OnFlag(key string, version int, value string) string {
	return fmt.Sprintf(`{"key":%q,"version":%d,"on":true,"fallthrough":{"variation":0},"variations":[%s]}`, key, version, value)
}
