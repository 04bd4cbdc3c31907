package flagservice

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// wrappers are ways in which a text may arrive.
func wrappers() map[string]func(io.Reader) io.Reader {
	return map[string]func(io.Reader) io.Reader{
		"at once":        func(r io.Reader) io.Reader { return r },
		"byte by byte":   iotest.OneByteReader,
		"with its error": iotest.DataErrReader,
	}
}

// readEvents returns the events of a text, each written "name=data", and why there are no more.
func readEvents(r io.Reader, limit int64) (events []string, err error) {
	reader := newEventReader(r, limit)
	for {
		event, err := reader.next()
		if err != nil {
			return events, err
		}
		events = append(events, fmt.Sprintf("%s=%s", event.Name, event.Data))
	}
}

func TestEventReader_Next_ReadsEvents(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                   {"", nil},
		"several":                   {"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", []string{"a=1", "b=2"}},
		"returns":                   {"event: a\rdata: 1\r\revent: b\rdata: 2\r\r", []string{"a=1", "b=2"}},
		"both":                      {"event: a\r\ndata: 1\r\n\r\nevent: b\r\ndata: 2\r\n\r\n", []string{"a=1", "b=2"}},
		"the data first":            {"data: 1\nevent: a\n\n", []string{"a=1"}},
		"without a name":            {"data: 1\n\n", []string{"=1"}},
		"a name is for one event":   {"event: a\ndata: 1\n\ndata: 2\n\n", []string{"a=1", "=2"}},
		"the last name counts":      {"event: a\nevent: b\ndata: 1\n\n", []string{"b=1"}},
		"no spaces":                 {"event:a\ndata:1\n\n", []string{"a=1"}},
		"one space is left out":     {"event:  a\ndata:  1 \n\n", []string{" a= 1 "}},
		"lines of data":             {"data: 1\ndata:\ndata\ndata: \ndata:2\n\n", []string{"=1\n\n\n\n2"}},
		"empty data":                {"event: a\ndata\n\nevent: b\ndata:\n\nevent: c\ndata: \n\n", []string{"a=", "b=", "c="}},
		"without data":              {"event: a\n\n\n\ndata: 1\n\n", []string{"=1"}},
		"comments":                  {": hello\n:\n\ndata: 1\n: and\n:data: 3\ndata: 2\n\n", []string{"=1\n2"}},
		"other fields":              {"id: 1\nretry: 5\ndata: 1\nDATA: 2\n data: 3\ndatum: 4\ndata2: 5\nx\n\n", []string{"=1"}},
		"a colon in the data":       {"data: a: b\n\ndata:: b\n\n", []string{"=a: b", "=: b"}},
		"long":                      {"data: " + long + "\ndata:" + long + "\n\ndata: 1\n\n", []string{"=" + long + "\n" + long, "=1"}},
		"long, of no field":         {long + ": 1\nevent: a\n:" + long + "\ndata: 1\n\n", []string{"a=1"}},
		"longer than a chunk, then": {"data: " + strings.Repeat("y", firstChunk+1) + "\n\ndata: 1\n\n", []string{"=" + strings.Repeat("y", firstChunk+1), "=1"}},
	} {
		for how, wrap := range wrappers() {
			t.Run(name+"/"+how, func(t *testing.T) {
				events, err := readEvents(wrap(strings.NewReader(test.text)), 1<<20)
				require.ErrorIs(t, err, io.EOF)
				require.Equal(t, test.want, events)
			})
		}
	}
}

// The data of an event stays what it is when others are read.
func TestEventReader_Next_DataIsTheReceiversOwn(t *testing.T) {
	reader := newEventReader(strings.NewReader("data: first\n\ndata: other\n\n"), 1000)
	first, err := reader.next()
	require.NoError(t, err)
	_, err = reader.next()
	require.NoError(t, err)
	require.Equal(t, "first", string(first.Data))
	require.Len(t, first.Data, cap(first.Data))
}

func TestEventReader_Next_EndWithinAnEvent(t *testing.T) {
	for text, want := range map[string]error{
		"data: 1\n\n": io.EOF, "data: 1\n\n: x\n": io.EOF, "data: 1\n": io.ErrUnexpectedEOF, "data: 1\n\nda": io.ErrUnexpectedEOF, "event: a\n": io.ErrUnexpectedEOF,
	} {
		for how, wrap := range wrappers() {
			_, err := readEvents(wrap(strings.NewReader(text)), 1000)
			require.Equal(t, want, err, "%q %s", text, how)
		}
	}
	broken := errors.New("broken")
	_, err := readEvents(io.MultiReader(strings.NewReader("data: 1\n"), iotest.ErrReader(broken)), 1000)
	require.Equal(t, broken, err)
}

func TestEventReader_Next_LimitsEvents(t *testing.T) {
	const limit = 1000
	long := strings.Repeat("x", 600)
	for name, test := range map[string]struct {
		text    string
		refused bool
	}{
		"small":                 {"data: x\n\n", false},
		"many events":           {strings.Repeat("data: "+long+"\n\n", 10), false},
		"many events, returns":  {strings.Repeat("data: "+long+"\r\r", 10), false},
		"many events, both":     {strings.Repeat("data: "+long+"\r\n\r\n", 10), false},
		"line without end":      {"data: " + long + long, true},
		"lines without end":     {strings.Repeat("data: 0123456789\n", 100), true},
		"lines, both":           {strings.Repeat("data: 0123456789\r\n", 100), true},
		"comments without end":  {strings.Repeat(": 0123456789\n", 100_000), false},
		"a comment without end": {":" + long + long, true},
		"a name without end":    {"event: " + long + long, true},
		"very many lines":       {strings.Repeat("d\n", 1100), true},
		"many lines":            {strings.Repeat("d\n", 400) + "\n" + strings.Repeat("d\n", 400) + "\n", false},
	} {
		for how, wrap := range wrappers() {
			t.Run(name+"/"+how, func(t *testing.T) {
				_, err := readEvents(wrap(strings.NewReader(test.text)), limit)
				if !test.refused {
					require.Equal(t, io.EOF, err)
					return
				}
				require.ErrorIs(t, err, ErrInvalidData)
				require.ErrorContains(t, err, "larger than 1000 bytes")
			})
		}
	}
}
