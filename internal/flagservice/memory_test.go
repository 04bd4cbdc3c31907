package flagservice

import (
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// endless repeats a text for ever, after a beginning.
type endless struct {
	beginning io.Reader
	text      string
	at        int
}

func newEndless(beginning, text string) *endless {
	return &endless{beginning: strings.NewReader(beginning), text: text}
}

func (e *endless) Read(p []byte) (int, error) {
	if n, _ := e.beginning.Read(p); n > 0 {
		return n, nil
	}
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

// allocated returns how many bytes a call allocates. No peak of it can be higher.
func allocated(call func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

const memoryLimit = 4 << 20

func TestReadAll_PayloadThatNeverEnds_TakesNoMoreThanTwiceTheLimit(t *testing.T) {
	long := strings.Repeat("x", 4096)
	for name, reader := range map[string]io.Reader{
		"a string":           newEndless(`{"flags":{"a":"`, long),
		"a list":             newEndless(`{"flags":{"a":{"variations":[1`, ",2"),
		"something unknown":  newEndless(`{"other":["`, long),
		"a name":             newEndless(`{"`, long),
		"white space":        newEndless(``, strings.Repeat(" ", 4096)),
		"text after the end": newEndless(`{"flags":{}}`, strings.Repeat("\n", 4096)),
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			bytes := allocated(func() {
				_, err = ReadAll(Limit(reader, memoryLimit, "MaxPayloadSize"), slog.New(slog.DiscardHandler))
			})
			require.ErrorIs(t, err, ErrInvalidData)
			require.ErrorContains(t, err, "larger than MaxPayloadSize")
			require.LessOrEqual(t, bytes, uint64(2*memoryLimit))
		})
	}
}

func TestEventReader_Next_EventThatNeverEnds_TakesNoMoreThanTwiceTheLimit(t *testing.T) {
	long := strings.Repeat("x", 4096)
	for name, reader := range map[string]io.Reader{
		"a line":               newEndless("data: ", long),
		"lines":                newEndless("event: put\n", "data: "+strings.Repeat(long, 256)+"\n"),
		"a name":               newEndless("event: ", long),
		"a comment":            newEndless(":", long),
		"comments in an event": newEndless("", "data: "+strings.Repeat(long, 256)+"\n: "+long+"\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			bytes := allocated(func() { _, err = newEventReader(reader, memoryLimit).next() })
			require.ErrorIs(t, err, ErrInvalidData)
			require.ErrorContains(t, err, "larger than")
			require.LessOrEqual(t, bytes, uint64(2*memoryLimit))
		})
	}
}

func TestEventReader_Next_CommentsAreNotKept(t *testing.T) {
	comments := io.LimitReader(newEndless("data: x\n", ": a comment\n"), 2*memoryLimit)
	bytes := allocated(func() {
		_, err := newEventReader(comments, memoryLimit).next()
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
	require.Less(t, bytes, uint64(memoryLimit/8))
}
