package flagservice

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Source is text of the flag service that is read without being kept, for a JSON decoder. It remembers why reading failed, to
// tell a connection that breaks from text that ends too early, and fails if the text is not UTF-8, which package json would
// repair.
type Source struct {
	reader io.Reader
	err    error
	rest   []byte // the beginning of a character that the last read cut
}

// NewSource returns the text that a reader reads.
func NewSource(r io.Reader) *Source { return &Source{reader: r} }

// Read implements [io.Reader].
func (s *Source) Read(p []byte) (int, error) {
	n, err := s.reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	if !s.isUTF8(p[:n], errors.Is(err, io.EOF)) {
		s.err = errNotUTF8
		return 0, s.err
	}
	return n, err
}

// errNotUTF8 is returned for text with a byte that is not part of a character.
var errNotUTF8 = fmt.Errorf("%w: the text is not UTF-8", ErrInvalidData)

// isUTF8 reports whether the text goes on with whole characters, of which the last may be cut unless the text ends there.
func (s *Source) isUTF8(text []byte, ends bool) bool {
	for len(s.rest) > 0 && len(text) > 0 && !utf8.FullRune(s.rest) {
		s.rest, text = append(s.rest, text[0]), text[1:]
	}
	if len(s.rest) > 0 && (utf8.FullRune(s.rest) || ends) {
		if !utf8.Valid(s.rest) {
			return false
		}
		s.rest = s.rest[:0]
	}
	cut := len(text)
	for i := max(len(text)-utf8.UTFMax+1, 0); i < len(text); i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			cut = i
			break
		}
	}
	if ends {
		cut = len(text)
	}
	s.rest = append(s.rest, text[cut:]...)
	return utf8.Valid(text[:cut])
}

// Explain returns what an error of the decoder is due to: that of the reader, or one that wraps [ErrInvalidData].
func (s *Source) Explain(err error) error {
	if s.err != nil {
		return s.err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", ErrInvalidData, err)
}

// Limit returns a reader that fails when there is more to read than an option allows.
func Limit(r io.Reader, limit int64, option string) io.Reader {
	return &limited{reader: r, left: limit, limit: limit, option: option}
}

type limited struct {
	reader      io.Reader
	left, limit int64
	option      string
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.reader.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("%w: it is larger than %s, %d bytes", ErrInvalidData, l.option, l.limit)
	}
	return n, err
}
