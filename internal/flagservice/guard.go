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
// It passes an event on when it has ended. The decoder copies what it has of an event again and again, and could need several
// times the limit for one that is refused in the end. An event in a great many lines would keep it busy for hours, so that the
// copying is limited too.
type guard struct {
	reader io.Reader
	limit  int64 // on the size of an event
	buffer [32 << 10]byte
	err    error // of the reader, when all that came before has been passed on

	held     chunks
	complete int64 // bytes of held that belong to events that have ended
	start    int64 // where in held the line begins that has not ended

	size     int64 // of the lines of the event that have ended
	line     int64 // of the line that has not
	comment  bool  // that line is a comment, which is not passed on
	returned bool  // the last byte was a carriage return
	copied   int64 // bytes that the decoder will have copied for the event

	begun atomic.Bool // something that is no comment has come
}

// copies is how many times the largest event may be copied. It leaves room for an environment of ordinary size printed
// one property per line.
const copies = 100

func newGuard(reader io.Reader, limit int64) *guard { return &guard{reader: reader, limit: limit} }

// Read implements [io.Reader].
func (g *guard) Read(p []byte) (int, error) {
	for g.complete == 0 && g.err == nil {
		g.fill()
	}
	if g.complete == 0 {
		return 0, g.err
	}
	n, _ := g.held.Read(p[:min(int64(len(p)), g.complete)])
	g.complete -= int64(n)
	g.start -= int64(n)
	return n, nil
}

// fill reads once. The beginning of an event is passed on if the stream ends within it, and dropped if it is too large.
func (g *guard) fill() {
	n, err := g.reader.Read(g.buffer[:])
	g.count(g.buffer[:n])
	switch {
	case g.size+g.line > g.limit:
		g.err = fmt.Errorf("%w: an event is larger than %d bytes, which is the limit", ErrInvalidData, g.limit)
		g.held.truncate(g.complete)
	case g.copied/copies > g.limit:
		g.err = fmt.Errorf("%w: an event has too many lines for its size", ErrInvalidData)
		g.held.truncate(g.complete)
	case err != nil:
		g.err, g.complete = err, g.held.size
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
	g.held.append(text)
}

// endLine ends the line with a line feed, whatever it ended with, and forgets it if it is a comment.
func (g *guard) endLine() {
	g.held.append([]byte{'\n'})
	switch {
	case g.line == 0:
		g.size, g.copied = 0, 0
		g.complete = g.held.size
	case g.comment:
		g.held.truncate(g.start)
	default:
		g.size += g.line
		g.copied += g.size
	}
	g.line, g.start = 0, g.held.size
}
