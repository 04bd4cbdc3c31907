package core

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// metadata is what every item's JSON has, of whatever kind it is.
type metadata struct {
	version int
	deleted bool
	key     jsonString // empty if there is none
}

// maxExactVersion is the greatest integer up to which every integer is exact as a JSON number in all languages that
// share these databases.
const maxExactVersion = 1 << 53

// maxDepth is how deep an item may be nested. Decoders recurse, and one that runs out of stack ends the process.
const maxDepth = 1000

// parseMetadata reads an item's version, deleted mark and key, and reads the rest only to know that it is JSON. Of properties
// that occur several times, the last one counts.
func parseMetadata(data []byte) (metadata, error) {
	s := scanner{data: data}
	var meta metadata
	if err := s.object(&meta); err != nil {
		return metadata{}, err
	}
	if s.space(); s.pos < len(data) {
		return metadata{}, s.fail("text after the JSON object")
	}
	return meta, nil
}

// belongsTo returns an error if the item has another key than the given one. A key that is not UTF-8 is not compared, because
// JSON need not have it as it is.
func (m *metadata) belongsTo(key string) error {
	if own := m.key; len(own.raw) > 0 && string(own.raw) != key && own.plain() != key && utf8.ValidString(key) {
		return fmt.Errorf("%w: it is the item %q, which is in the wrong place", ErrCorrupt, abbreviate(own.plain()))
	}
	return nil
}

// object reads the item's object, which is the whole text but for space around it.
func (s *scanner) object(meta *metadata) error {
	if s.token() != '{' {
		return s.fail("no JSON object")
	}
	s.pos++
	if s.token() == '}' {
		s.pos++
		return nil
	}
	for {
		if err := s.property(meta); err != nil {
			return err
		}
		switch s.token() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.fail("no comma or end of the object")
		}
	}
}

// property reads a property of the item: its name and its value.
func (s *scanner) property(meta *metadata) error {
	name, err := s.name()
	if err != nil {
		return err
	}
	switch {
	case name.is("version"):
		return s.version(&meta.version)
	case name.is("deleted"):
		return s.boolean(&meta.deleted)
	case name.is("key"):
		return s.key(&meta.key)
	default:
		return s.skip()
	}
}

func (s *scanner) version(version *int) error {
	if c := s.token(); c != '-' && !isDigit(c) {
		return s.fail("the version is no number")
	}
	start := s.pos
	text, isInteger, err := s.number()
	if err != nil {
		return err
	}
	number := float64(wrappedInteger(text))
	if !isInteger {
		number, _ = strconv.ParseFloat(string(text), 64) // s.number has refused what is out of range
	}
	if number != math.Trunc(number) || math.Abs(number) > maxExactVersion {
		return fmt.Errorf("%w: version %s at byte %d is not an integer that JSON can hold", ErrCorrupt, excerpt(text), start)
	}
	*version = int(number)
	return nil
}

// key reads a key. What is no string is left to the decoder of flags and segments.
func (s *scanner) key(key *jsonString) (err error) {
	*key = jsonString{}
	if s.token() != '"' {
		return s.skip()
	}
	*key, err = s.text()
	return err
}

func (s *scanner) boolean(value *bool) error {
	switch s.token() {
	case 't':
		*value = true
	case 'f':
		*value = false
	default:
		return s.fail("the deleted mark is no boolean")
	}
	return s.literal()
}

// wrappedInteger returns the value of an integer, modulo 2^64 as the decoder of flags and segments computes it, so that
// an item has the version that its model has.
func wrappedInteger(text []byte) int64 {
	var n int64
	for _, c := range text {
		if c != '-' {
			n = n*10 + int64(c-'0')
		}
	}
	if text[0] == '-' {
		return -n
	}
	return n
}

// excerpt returns a number for an error's text, which should not grow with the data.
func excerpt(number []byte) string {
	const longest = 32
	if len(number) > longest {
		return string(number[:longest]) + "…"
	}
	return string(number)
}
