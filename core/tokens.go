package core

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"
)

// jsonString is a string as it is in JSON, without its quotes.
type jsonString struct {
	raw     []byte
	escaped bool
}

// text reads the string that begins at the scanner's position.
func (s *scanner) text() (jsonString, error) {
	start, escaped := s.pos+1, false
	for s.pos = start; ; {
		s.pos += plainLength(s.data[s.pos:])
		switch s.peek() {
		case '"':
			s.pos++
			return jsonString{s.data[start : s.pos-1], escaped}, nil
		case '\\':
			escaped = true
			length := escapeLength(s.data[s.pos:])
			if length == 0 {
				return jsonString{}, s.fail("invalid escape sequence")
			}
			s.pos += length
		default:
			return jsonString{}, s.fail("unterminated string")
		}
	}
}

// plainLength returns how many bytes of data come before its first quote or backslash.
func plainLength(data []byte) int {
	n := 0
	for ; n+8 <= len(data); n += 8 {
		word := binary.LittleEndian.Uint64(data[n:])
		if found := zeroBytes(word^repeated*'"') | zeroBytes(word^repeated*'\\'); found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for n < len(data) && data[n] != '"' && data[n] != '\\' {
		n++
	}
	return n
}

// repeated times a byte is a word of eight such bytes.
const repeated = 0x0101010101010101

// zeroBytes returns a word whose lowest set bit is in the lowest byte of word that is zero, or 0 if no byte is.
func zeroBytes(word uint64) uint64 {
	return (word - repeated) &^ word & (repeated << 7)
}

// escapeLength returns how long the escape sequence is that data begins with, or 0 if it is invalid.
func escapeLength(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		const length = len(`\u0000`)
		if len(data) < length {
			return 0
		}
		for _, c := range data[2:length] {
			if !isHexDigit(c) {
				return 0
			}
		}
		return length
	}
	return 0
}

// is reports whether the string is word, which consists of ASCII letters.
func (j jsonString) is(word string) bool {
	if !j.escaped {
		return string(j.raw) == word
	}
	raw := j.raw
	for i := range len(word) {
		if len(raw) == 0 {
			return false
		}
		c, length := raw[0], 1
		if c == '\\' {
			c, length = escapedLetter(raw), escapeLength(raw)
		}
		if c != word[i] {
			return false
		}
		raw = raw[length:]
	}
	return len(raw) == 0
}

// plain returns what the string stands for; what cannot be unescaped, because of control characters, stays as it is.
func (j jsonString) plain() string {
	if j.escaped {
		var plain string
		if json.Unmarshal(slices.Concat([]byte{'"'}, j.raw, []byte{'"'}), &plain) == nil {
			return plain
		}
	}
	return string(j.raw)
}

// escapedLetter returns the ASCII character that the escape sequence at the beginning of raw stands for if it has the
// form \u0000, and otherwise 0: what can be escaped in another way is no letter.
func escapedLetter(raw []byte) byte {
	if raw[1] != 'u' {
		return 0
	}
	code, err := strconv.ParseUint(string(raw[2:6]), 16, 7)
	if err != nil {
		return 0
	}
	return byte(code)
}

// literal reads true, false or null.
func (s *scanner) literal() error {
	for _, literal := range [...]string{"true", "false", "null"} {
		if rest := s.data[s.pos:]; len(rest) >= len(literal) && string(rest[:len(literal)]) == literal {
			s.pos += len(literal)
			return nil
		}
	}
	return s.fail("no JSON value")
}

// number reads a number, and reports whether it is written as an integer.
func (s *scanner) number() (text []byte, isInteger bool, err error) {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	} else if !isDigit(s.peek()) {
		return nil, false, s.fail("no JSON value")
	}
	digits, isInteger, hasExponent := s.digits(), true, false
	if s.peek() == '.' {
		s.pos++
		digits, isInteger = digits+s.digits(), false
	}
	if digits == 0 {
		return nil, false, s.fail("no digit in a number")
	}
	if s.peek()|0x20 == 'e' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if s.digits() == 0 {
			return nil, false, s.fail("no digit in an exponent")
		}
		isInteger, hasExponent = false, true
	}
	text = s.data[start:s.pos]
	if mayOverflow := hasExponent || digits > 300; mayOverflow && !isInteger {
		if _, err := strconv.ParseFloat(string(text), 64); err != nil {
			s.pos = start
			return nil, false, s.fail("number out of range")
		}
	}
	return text, isInteger, nil
}

// digits skips digits and returns how many they are.
func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && isDigit(s.data[s.pos]) {
		s.pos++
	}
	return s.pos - start
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHexDigit(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isSpace reports whether a byte is a space in Latin-1: besides those of JSON, these are the tabulator and the page break
// of a printer, the next line (0x85) and the space that does not break (0xA0).
func isSpace(c byte) bool {
	switch c {
	case ' ', '\n', '\r', '\t', '\v', '\f', 0x85, 0xA0:
		return true
	}
	return false
}
