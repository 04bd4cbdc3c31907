package itemjson

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/launchdarkly/go-jsonstream/v3/jreader"
	"github.com/tidwall/gjson"
)

// Metadata is what the JSON of every item has, of whatever kind it is.
type Metadata struct {
	Version int
	Deleted bool
	Key     string // empty if there is none, or one that is no string or cannot be read; shares memory with the JSON
}

const (
	// maxExactVersion is the greatest integer up to which every integer is exact as a JSON number in all languages that
	// share these databases.
	maxExactVersion = 1 << 53
	// maxDepth is how deep an item may be nested. Parsers recurse, and one that runs out of stack ends the process.
	maxDepth = 1000
)

// Read reads an item's metadata, and the rest only to know that it is JSON. Of properties that occur several times, the last one
// counts. A number beyond the range of a float64 is left to the decoder.
func Read(data []byte) (Metadata, error) {
	if deeperThan(data, maxDepth) {
		return Metadata{}, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	if meta, ok := readOrdinary(data); ok {
		return meta, nil
	}
	return readAny(data)
}

// readOrdinary reads JSON by the book. ok is false if it is something else, or if something is wrong with it.
func readOrdinary(data []byte) (meta Metadata, ok bool) {
	if !gjson.ValidBytes(data) {
		return meta, false
	}
	object := parse(data)
	ok = object.IsObject()
	object.ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "version":
			var err error
			meta.Version, err = version(value.Raw)
			ok = ok && err == nil
		case "deleted":
			meta.Deleted = value.Bool()
			ok = ok && value.IsBool()
		case "key":
			meta.Key = value.Str
		}
		return ok
	})
	return meta, ok
}

// parse returns the JSON as a value that shares its memory.
func parse(data []byte) gjson.Result {
	return gjson.Parse(unsafe.String(unsafe.SliceData(data), len(data)))
}

// version reads a version in the way of the decoder, so that an item has the version that its model has.
func version(text string) (int, error) {
	reader := jreader.NewReader(unsafe.Slice(unsafe.StringData(text), len(text)))
	return readVersion(&reader)
}

func readVersion(reader *jreader.Reader) (int, error) {
	number := reader.Float64()
	if reader.Error() == nil && (number != math.Trunc(number) || math.Abs(number) > maxExactVersion) {
		return 0, fmt.Errorf("version %v is not an integer that JSON can hold", number)
	}
	return int(number), reader.Error()
}

// readAny reads what the decoder of flags and segments would read.
func readAny(data []byte) (meta Metadata, err error) {
	reader := jreader.NewReader(data)
	for object := reader.Object(); object.Next(); {
		switch string(object.Name()) {
		case "version":
			if meta.Version, err = readVersion(&reader); err != nil {
				return Metadata{}, err
			}
		case "deleted":
			meta.Deleted = reader.Bool()
		case "key":
			value := reader.Any()
			for value.Object.Next() || value.Array.Next() { // skips what is no string
			}
			meta.Key = value.String
			if !utf8.ValidString(meta.Key) || strings.ContainsRune(meta.Key, utf8.RuneError) { // the reader tears surrogate pairs apart
				meta.Key = ""
			}
		}
	}
	if err = reader.Error(); err == nil {
		err = reader.RequireEOF()
	}
	if err != nil {
		return Metadata{}, err
	}
	return meta, nil
}

// deeperThan reports whether JSON is nested deeper than a limit. Of text that is no JSON it may say that it is.
func deeperThan(data []byte, limit int) bool {
	if bytes.Count(data, []byte{'['})+bytes.Count(data, []byte{'{'}) <= limit {
		return false
	}
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
