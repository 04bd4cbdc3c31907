package core

import "fmt"

// scanner reads JSON in one pass without recursion and without allocating. It accepts what the decoder of flags and
// segments accepts, so that an item is not lost here that would have been understood there. That is RFC 8259 with
// numbers limited to the range of a float64, and also: control characters in strings, invalid UTF-8, halves of surrogate
// pairs, numbers such as 01, 1. and -.5, and the space characters of Latin-1 (see [isSpace]).
type scanner struct {
	data []byte
	pos  int
}

// fail returns the error that something is wrong at the scanner's position.
func (s *scanner) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d of %d", ErrCorrupt, what, s.pos, len(s.data))
}

// space skips white space.
func (s *scanner) space() {
	for s.pos < len(s.data) && isSpace(s.data[s.pos]) {
		s.pos++
	}
}

// token skips white space and returns the character after it, at which the scanner stays, or 0 at the end of the text.
// No token begins with a NUL.
func (s *scanner) token() byte {
	if s.pos < len(s.data) {
		if c := s.data[s.pos]; c > ' ' && c < 0x80 {
			return c
		}
	}
	s.space()
	return s.peek()
}

// peek returns the character at the scanner's position, or 0 at the end of the text.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// name reads a property's name and the colon after it.
func (s *scanner) name() (jsonString, error) {
	if s.token() != '"' {
		return jsonString{}, s.fail("no property name")
	}
	name, err := s.text()
	if err != nil {
		return jsonString{}, err
	}
	if s.token() != ':' {
		return jsonString{}, s.fail("no colon after a property name")
	}
	s.pos++
	return name, nil
}

// skip reads a value of a property of the item, whatever it is.
func (s *scanner) skip() error {
	var open nesting
	for {
		if err := s.begin(&open); err != nil {
			return err
		}
		if more, err := s.end(&open); err != nil || !more {
			return err
		}
	}
}

// begin reads a value that is not nested, or the beginning of one that is, up to the first value in it that is not
// nested, or that is empty.
func (s *scanner) begin(open *nesting) error {
	for {
		c := s.token()
		switch c {
		case '{', '[':
		case '"':
			_, err := s.text()
			return err
		case 't', 'f', 'n':
			return s.literal()
		default:
			_, _, err := s.number()
			return err
		}
		if !open.push(c == '{') {
			return fmt.Errorf("%w: nested deeper than %d at byte %d", ErrCorrupt, maxDepth, s.pos)
		}
		s.pos++
		if s.token() == open.closing() {
			return nil
		}
		if c == '{' {
			if _, err := s.name(); err != nil {
				return err
			}
		}
	}
}

// end reads what comes after a value: the ends of the arrays and objects that end with it, and then the comma, and the
// name if it is in an object, before the next value. It reports whether there is a next value.
func (s *scanner) end(open *nesting) (more bool, err error) {
	for open.depth > 0 {
		switch s.token() {
		case open.closing():
			s.pos++
			open.depth--
		case ',':
			s.pos++
			if open.inObject() {
				_, err = s.name()
			}
			return true, err
		default:
			return false, s.fail("no comma or end of an array or object")
		}
	}
	return false, nil
}

// nesting is a stack of the arrays and objects that a value is in, below the item's own object: a bit for each, set for
// an object.
type nesting struct {
	objects [(maxDepth + 63) / 64]uint64
	depth   int
}

// push adds an object or array, unless that is one too many.
func (n *nesting) push(isObject bool) bool {
	if n.depth+1 >= maxDepth {
		return false
	}
	word, bit := &n.objects[n.depth/64], uint64(1)<<(n.depth%64)
	*word &^= bit
	if isObject {
		*word |= bit
	}
	n.depth++
	return true
}

// inObject reports whether the innermost is an object.
func (n *nesting) inObject() bool {
	innermost := n.depth - 1
	return n.objects[innermost/64]>>(innermost%64)&1 == 1
}

// closing returns the character that ends the innermost.
func (n *nesting) closing() byte {
	if n.inObject() {
		return '}'
	}
	return ']'
}
