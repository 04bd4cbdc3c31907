package conformance

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cleatdev/cleat/core"
)

// otherKind is a kind that is not built in, and spareKind one that most subtests leave alone.
const (
	otherKind core.DataKind = "conformance-experiments"
	spareKind core.DataKind = "conformance_spare.2"
)

// allKinds returns the kinds that a subtest about every kind uses.
func allKinds() []core.DataKind { return append(core.BuiltInKinds(), otherKind) }

// live makes an item that is not deleted.
func live(key string, version int) core.KeyedSerializedItem { return tagged(key, version, "") }

// tagged makes an item whose JSON contains the tag, so that two items of one version can be told apart.
func tagged(key string, version int, tag string) core.KeyedSerializedItem {
	data := fmt.Appendf(nil, `{"key":%s,"version":%d,"on":true,"variations":[true,false],"salt":%s}`,
		quoted(key), version, quoted(tag))
	return core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Version: version, Data: data}}
}

// tombstone makes a deleted item, in the form of a flag's, which is as good as any other to a store.
func tombstone(key string, version int) core.KeyedSerializedItem {
	return core.KeyedSerializedItem{Key: key, Item: core.NewTombstone(core.Flags, key, version).Serialized(core.Flags, key)}
}

// sized makes an item whose JSON has exactly the given size, or a little more if the size leaves no room for the rest.
func sized(key string, version, size int) core.KeyedSerializedItem {
	padding := size - len(tagged(key, version, "").Item.Data)
	return tagged(key, version, strings.Repeat("x", max(padding, 0)))
}

// numbered makes n items with keys that begin with name.
func numbered(name string, n, version int) []core.KeyedSerializedItem {
	items := make([]core.KeyedSerializedItem, n)
	for i := range items {
		items[i] = live(fmt.Sprintf("%s-%05d", name, i), version)
	}
	return items
}

func collection(kind core.DataKind, items ...core.KeyedSerializedItem) core.SerializedCollection {
	return core.SerializedCollection{Kind: kind, Items: items}
}

func quoted(s string) string {
	text, _ := json.Marshal(s) // a string can always be encoded
	return string(text)
}
