package events

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// repair returns a payload as valid JSON. What applications put into contexts, default values and data may hold numbers
// that JSON has no form for and text that is not UTF-8, which the library writes out as they are: one of them would
// spoil thousands of events of others. Such a number becomes null, and such text is marked with U+FFFD. A payload that
// has none of them is returned as it is.
func repair(payload []byte) []byte {
	if !utf8.Valid(payload) {
		payload = bytes.ToValidUTF8(payload, []byte("\uFFFD"))
	}
	if json.Valid(payload) {
		return payload
	}
	return nullNumbers(payload)
}

// nullNumbers replaces the numbers that strconv writes as words by null, and leaves strings alone.
func nullNumbers(payload []byte) []byte {
	repaired := make([]byte, 0, len(payload))
	for len(payload) > 0 {
		length, word := token(payload)
		if word {
			repaired = append(repaired, "null"...)
		} else {
			repaired = append(repaired, payload[:length]...)
		}
		payload = payload[length:]
	}
	return repaired
}

// token returns the length of the string, the number that is a word, or the single byte that the text begins with.
func token(text []byte) (length int, word bool) {
	for _, number := range []string{"NaN", "+Inf", "-Inf"} {
		if bytes.HasPrefix(text, []byte(number)) {
			return len(number), true
		}
	}
	if text[0] != '"' {
		return 1, false
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1, false
		}
	}
	return len(text), false
}
