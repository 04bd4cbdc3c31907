package flagservice

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
)

// guard reads a stream of events and fails when an event gets too large, so that a service that never ends one cannot use
// up all memory.
//
// The decoder puts the lines of an event together by copying what it has for each line. An event in a great many lines
// would keep it busy for hours, so that the copying is limited too.
type guard struct {
	reader io.Reader
	limit  int64 // on the size of an event

	size     int64 // of the lines of the event that have ended
	line     int64 // of the line that has not
	comment  bool  // that line is a comment, which the decoder forgets when it ends
	returned bool  // the last byte was a carriage return
	copied   int64 // bytes that the decoder has copied for the event

	begun atomic.Bool // something that is no comment has come
}

// copies is how many times the largest event may be copied. It leaves room for an environment of ordinary size printed
// one property per line.
const copies = 100

func newGuard(reader io.Reader, limit int64) *guard { return &guard{reader: reader, limit: limit} }

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.reader.Read(p)
	g.count(p[:n])
	switch {
	case g.size+g.line > g.limit:
		return 0, fmt.Errorf("%w: an event is larger than %d bytes, which is the limit", ErrInvalidData, g.limit)
	case g.copied/copies > g.limit:
		return 0, fmt.Errorf("%w: an event has too many lines for its size", ErrInvalidData)
	default:
		return n, err
	}
}

// count follows the stream. A line ends with a line feed, a carriage return, or both, and an event with an empty line.
func (g *guard) count(text []byte) {
	for len(text) > 0 {
		if g.returned && text[0] == '\n' {
			text = text[1:]
		}
		g.returned = false
		end := lineEnd(text)
		g.addToLine(text[:end])
		if end == len(text) {
			return
		}
		g.returned = text[end] == '\r'
		g.endLine()
		text = text[end+1:]
	}
}

// lineEnd returns where the first line of the text ends.
func lineEnd(text []byte) int {
	end := len(text)
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		end = i
	}
	if i := bytes.IndexByte(text[:end], '\r'); i >= 0 {
		end = i
	}
	return end
}

func (g *guard) addToLine(text []byte) {
	if g.line == 0 && len(text) > 0 {
		if g.comment = text[0] == ':'; !g.comment {
			g.begun.Store(true)
		}
	}
	g.line += int64(len(text))
}

func (g *guard) endLine() {
	switch {
	case g.line == 0:
		g.size, g.copied = 0, 0
	case !g.comment:
		g.size += g.line
		g.copied += g.size
	}
	g.line = 0
}
