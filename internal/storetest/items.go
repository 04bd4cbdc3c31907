package storetest

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/cleatdev/cleat/core"
)

// Prefix returns a prefix that no other test uses.
func Prefix() string { return "test-" + rand.Text() }

// Item makes the flag {"key":…,"version":…}.
func Item(key string, version int) core.SerializedItem {
	return core.SerializedItem{Version: version, Data: fmt.Appendf(nil, `{"key":%q,"version":%d}`, key, version)}
}

// Sized makes a flag of exactly size bytes, or of as many as it needs without padding if that is more.
func Sized(key string, version, size int) core.SerializedItem {
	const end = `"}`
	data := fmt.Appendf(nil, `{"key":%q,"version":%d,"padding":"`, key, version)
	data = append(data, strings.Repeat("x", max(0, size-len(data)-len(end)))+end...)
	return core.SerializedItem{Version: version, Data: data}
}

// Flags makes n flags of [Sized] with the keys flag-00000, flag-00001 and so on.
func Flags(n, version, size int) core.SerializedCollection {
	flags := core.SerializedCollection{Kind: core.Flags, Items: make([]core.KeyedSerializedItem, n)}
	for i := range flags.Items {
		key := fmt.Sprintf("flag-%05d", i)
		flags.Items[i] = core.KeyedSerializedItem{Key: key, Item: Sized(key, version, size)}
	}
	return flags
}
