package flagservice

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// Event is a server-sent event.
type Event struct {
	// Name says of what sort the event is; empty if it does not say.
	Name string
	// Data is the receiver's own.
	Data []byte
}

// eventReader reads server-sent events as the HTML standard defines them. Of their fields, only the name and the data mean anything in
// the service's protocols. An event that gets too large is refused, so that a service that never ends one cannot use up all memory;
// until then it has taken as much memory as it is large.
type eventReader struct {
	reader io.Reader
	limit  int64 // on the size of an event
	buffer [32 << 10]byte
	unread []byte // of the buffer
	err    error  // of the reader, when all that came before has been read

	name    string
	data    chunks
	hasData bool
	size    int64 // of the lines of the event that have ended
	line    int64 // of the line that has not

	beginning [64]byte // of that line, unless it is one of data; no field that means anything else is longer
	isData    bool
	returned  bool // the last byte was a carriage return, with which a line feed is one end of a line

	begun atomic.Bool // something that is no comment has come
}

func newEventReader(reader io.Reader, limit int64) *eventReader {
	return &eventReader{reader: reader, limit: limit}
}

// next returns the next event that has data. It returns [io.ErrUnexpectedEOF] if the text ends within an event.
func (r *eventReader) next() (Event, error) {
	for {
		for len(r.unread) > 0 {
			if event, ok := r.readLine(); ok {
				return event, nil
			}
			if r.size+r.line > r.limit {
				return Event{}, fmt.Errorf("%w: an event is larger than %d bytes, which is the limit", ErrInvalidData, r.limit)
			}
		}
		if errors.Is(r.err, io.EOF) && r.size+r.line > 0 {
			return Event{}, io.ErrUnexpectedEOF
		}
		if r.err != nil {
			return Event{}, r.err
		}
		n, err := r.reader.Read(r.buffer[:])
		r.unread, r.err = r.buffer[:n], err
	}
}

// readLine reads what there is of a line, which ends with a line feed, a carriage return, or both. It returns the event if it is the
// empty line that ends one.
func (r *eventReader) readLine() (event Event, ok bool) {
	if r.returned && r.unread[0] == '\n' {
		r.unread = r.unread[1:]
	}
	r.returned = false
	end := lineEnd(r.unread)
	r.addToLine(r.unread[:end])
	if end == len(r.unread) {
		r.unread = nil
		return Event{}, false
	}
	r.returned = r.unread[end] == '\r'
	r.unread = r.unread[end+1:]
	return r.endLine()
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

// addToLine adds to the line that has not ended. What is data is kept as soon as it shows.
func (r *eventReader) addToLine(text []byte) {
	if r.line == 0 && len(text) > 0 && text[0] != ':' {
		r.begun.Store(true)
	}
	before := min(int(r.line), len(r.beginning))
	r.line += int64(len(text))
	if !r.isData {
		n := copy(r.beginning[before:], text)
		name, value := field(r.beginning[:before+n])
		if r.isData = string(name) == "data" && len(value) > 0; !r.isData {
			return
		}
		r.beginData(value)
		text = text[n:]
	}
	r.data.append(text)
}

// field takes a line apart. A space before the value is no part of it.
func field(line []byte) (name, value []byte) {
	name, value, _ = bytes.Cut(line, []byte{':'})
	return name, bytes.TrimPrefix(value, []byte{' '})
}

func (r *eventReader) beginData(value []byte) {
	if r.hasData {
		r.data.append([]byte{'\n'})
	}
	r.hasData = true
	r.data.append(value)
}

// endLine ends the line, and if it is empty the event.
func (r *eventReader) endLine() (event Event, ok bool) {
	switch name, value := field(r.beginning[:min(int(r.line), len(r.beginning))]); {
	case r.line == 0:
		if ok = r.hasData; ok {
			event = Event{Name: r.name, Data: r.data.take()}
		}
		r.name, r.hasData, r.size = "", false, 0
		return event, ok
	case len(name) == 0: // a comment
		r.line = 0
	case r.isData:
	case string(name) == "event":
		r.name = string(value)
	case string(name) == "data":
		r.beginData(value)
	}
	r.size += r.line
	r.line, r.isData = 0, false
	return Event{}, false
}
