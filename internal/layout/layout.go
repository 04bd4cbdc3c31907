// Package layout says what the items of a database must have for readers in other languages, some of which fail on a
// property that is missing. It names the properties itself, so that what writes them is compared with something else.
package layout

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cleatdev/cleat/core"
)

// properties returns the names of what every item of the kind has, tombstones included.
func properties(kind core.DataKind) []string {
	switch kind {
	case core.Flags:
		return []string{
			"key", "on", "prerequisites", "targets", "contextTargets", "rules", "fallthrough", "offVariation", "variations",
			"clientSide", "salt", "trackEvents", "trackEventsFallthrough", "debugEventsUntilDate", "version", "deleted",
		}
	case core.Segments:
		return []string{
			"key", "included", "excluded", "includedContexts", "excludedContexts", "salt", "rules", "version", "generation", "deleted",
		}
	default:
		return []string{"key", "version"}
	}
}

// mayBeNull reports whether null is a value of the property.
func mayBeNull(property string) bool {
	return property == "offVariation" || property == "debugEventsUntilDate" || property == "generation"
}

// Incomplete says what an item in a database lacks: properties of its kind, or values for them. It returns "" if the item
// is whole.
func Incomplete(kind core.DataKind, data []byte) string {
	var item map[string]any
	if err := json.Unmarshal(data, &item); err != nil {
		return fmt.Sprintf("it is no JSON object: %v", err)
	}
	var lacking []string
	for _, property := range properties(kind) {
		if value, found := item[property]; !found || value == nil && !mayBeNull(property) {
			lacking = append(lacking, property)
		}
	}
	if len(lacking) == 0 {
		return ""
	}
	return "it has no " + strings.Join(lacking, ", ")
}

// Tombstones returns every shape in which a tombstone of the given key and version may be in a database: what cleat writes
// for the kinds that are built in, and what other writers do.
func Tombstones(key string, version int) [][]byte {
	quoted, _ := json.Marshal(key) // a string can always be encoded
	return [][]byte{
		fmt.Appendf(nil, `{"version":%d,"deleted":true}`, version),
		fmt.Appendf(nil, `{"key":%s,"version":%d,"deleted":true}`, quoted, version),
		fmt.Appendf(nil, `{"key":"$deleted","version":%d,"deleted":true}`, version),
		fmt.Appendf(nil, `{"key":%s,"version":%d,"deleted":true,"on":true,"fromTheFuture":1}`, quoted, version),
		core.NewTombstone(core.Flags, key, version).JSON(),
		core.NewTombstone(core.Segments, key, version).JSON(),
	}
}
