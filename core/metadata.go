package core

import (
	"fmt"
	"math"

	"github.com/launchdarkly/go-jsonstream/v3/jreader"
)

// metadata is what every item's JSON has, of whatever kind it is.
type metadata struct {
	version int
	deleted bool
}

// maxExactVersion is the greatest integer up to which every integer is exact as a JSON number in all languages that
// share these databases.
const maxExactVersion = 1 << 53

// maxDepth is how deep an item may be nested. Parsers recurse, and one that runs out of stack ends the process.
const maxDepth = 1000

// deeperThan reports whether the JSON is nested deeper than limit. Of text that is not JSON it may say anything.
func deeperThan(data []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > limit {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// parseMetadata reads an item's version and deleted mark, and reads the rest only to know that it is JSON.
func parseMetadata(data []byte) (metadata, error) {
	if deeperThan(data, maxDepth) {
		return metadata{}, fmt.Errorf("%w: nested deeper than %d", ErrCorrupt, maxDepth)
	}
	var meta metadata
	r := jreader.NewReader(data)
	for obj := r.Object(); obj.Next(); {
		switch string(obj.Name()) {
		case "version":
			number := r.Float64()
			if number != math.Trunc(number) || math.Abs(number) > maxExactVersion {
				return metadata{}, fmt.Errorf("%w: version %v is not an integer that JSON can hold", ErrCorrupt, number)
			}
			meta.version = int(number)
		case "deleted":
			meta.deleted = r.Bool()
		}
	}
	if err := r.Error(); err != nil {
		return metadata{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := r.RequireEOF(); err != nil {
		return metadata{}, fmt.Errorf("%w: text after the JSON object", ErrCorrupt)
	}
	return meta, nil
}
