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

// parseMetadata reads an item's version and deleted mark, and reads the rest only to know that it is JSON.
func parseMetadata(data []byte) (metadata, error) {
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
