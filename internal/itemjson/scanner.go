package itemjson

import (
	"strings"
	"unsafe"
)

// Scanner reads ordinary JSON once, from the beginning to the end, and without allocating. It fails at everything else, and what it
// has returned is then of no use: the caller reads the text in another way, which may accept it and otherwise says what is wrong.
// JSON is not ordinary if it is nested too deep or has a name with an escape, a number with many digits, or a control character
// in a string.
//
//	for more := s.Object(); more; more = s.NextMember() {
//		name := s.Name()
//		value := s.Value()
//	}
//	ok := s.End()
type Scanner struct {
	text   string // strings that the scanner returns are parts of it
	at     int
	depth  int
	failed bool
}

// NewScanner makes a scanner of a text, which must not be changed while anything that the scanner has returned is in use.
func NewScanner(text []byte) Scanner {
	return Scanner{text: unsafe.String(unsafe.SliceData(text), len(text))}
}

// Failed reports whether the text is not ordinary, as far as it has been read.
func (s *Scanner) Failed() bool { return s.failed }

// fail makes all that follows fail too.
func (s *Scanner) fail() { s.failed, s.at = true, len(s.text) }

// End reports whether all of the text has been read, and is ordinary JSON.
func (s *Scanner) End() bool { return s.next() == 0 && s.at == len(s.text) && !s.failed }

// next returns the next byte that is no white space, without reading it; 0 if there is none.
func (s *Scanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// Object begins to read an object. It reports whether there is a first member, whose name is to be read next.
func (s *Scanner) Object() bool { return s.open('{', '}') }

// NextMember reports whether there is one more member. The value of the last one must have been read.
func (s *Scanner) NextMember() bool { return s.another('}') }

// List begins to read a list. It reports whether there is a first element, which is to be read next.
func (s *Scanner) List() bool { return s.open('[', ']') }

// NextElement reports whether there is one more element.
func (s *Scanner) NextElement() bool { return s.another(']') }

func (s *Scanner) open(begin, end byte) bool {
	if s.next() != begin || s.depth == maxDepth {
		s.fail()
		return false
	}
	s.at++
	if s.next() == end {
		s.at++
		return false
	}
	s.depth++
	return !s.failed
}

func (s *Scanner) another(end byte) bool {
	switch s.next() {
	case ',':
		s.at++
		return true
	case end:
		s.at++
		s.depth--
	default:
		s.fail()
	}
	return false
}

// Name reads the name of a member.
func (s *Scanner) Name() string {
	name := s.Text()
	if s.next() != ':' {
		s.fail()
		return ""
	}
	s.at++
	return name
}

// Text reads a string without escapes.
func (s *Scanner) Text() string {
	text, escaped := s.quoted()
	if escaped {
		s.fail()
		return ""
	}
	return text
}

// quoted reads a string, and returns what is between its quotes.
func (s *Scanner) quoted() (text string, escaped bool) {
	if s.next() != '"' {
		s.fail()
		return "", false
	}
	begin := s.at + 1
	for i := begin; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return s.text[begin:i], escaped
		case c == '\\':
			escaped = true
			length := escapeLength(s.text[i+1:])
			if length == 0 {
				s.fail()
				return "", false
			}
			i += length
		case c < ' ':
			s.fail()
			return "", false
		}
	}
	s.fail()
	return "", false
}

// escapeLength returns the length of the escape at the beginning of the text, of which the backslash is no part; 0 if it is none.
func escapeLength(text string) int {
	const hex = 4
	switch {
	case text == "":
		return 0
	case strings.IndexByte(`"\/bfnrt`, text[0]) >= 0:
		return 1
	case text[0] != 'u' || len(text) <= hex:
		return 0
	}
	for _, c := range []byte(text[1 : 1+hex]) {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 0
		}
	}
	return 1 + hex
}

// maxNumber is how long a number may be, so that it is far from the limits of a float64.
const maxNumber = 25

// number reads a number. It reports whether it is written as an integer.
func (s *Scanner) number() (integer bool) {
	s.next()
	begin := s.at
	s.accept('-')
	zero := s.accept('0')
	if digits := s.digits(); zero == (digits > 0) {
		s.fail()
	}
	integer = !s.accept('.')
	if !integer && s.digits() == 0 {
		s.fail()
	}
	if s.at-begin > maxNumber {
		s.fail()
	}
	return integer
}

// accept reads a byte if it is the next one.
func (s *Scanner) accept(c byte) bool {
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

// digits reads digits and returns how many there are.
func (s *Scanner) digits() int {
	begin := s.at
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		s.at++
	}
	return s.at - begin
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// literal reads one of the words of JSON.
func (s *Scanner) literal(word string) {
	if !strings.HasPrefix(s.text[s.at:], word) {
		s.fail()
		return
	}
	s.at += len(word)
}

// Value reads a value of any type, and returns its text.
func (s *Scanner) Value() []byte {
	s.next()
	begin := s.at
	s.skip()
	if s.failed {
		return nil
	}
	text := s.text[begin:s.at]
	return unsafe.Slice(unsafe.StringData(text), len(text))
}

// skip reads a value of any type.
func (s *Scanner) skip() {
	switch s.next() {
	case '{':
		for more := s.Object(); more; more = s.NextMember() {
			s.Name()
			s.skip()
		}
	case '[':
		for more := s.List(); more; more = s.NextElement() {
			s.skip()
		}
	case '"':
		s.quoted()
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}
