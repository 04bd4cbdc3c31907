package flagservice

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestGuard_Read_LimitsEvents(t *testing.T) {
	const limit = 1000
	long := strings.Repeat("x", 600)
	for name, test := range map[string]struct {
		text string
		want string // what the error says; empty if there is none
	}{
		"small":                 {"data: x\n\n", ""},
		"many events":           {strings.Repeat("data: "+long+"\n\n", 10), ""},
		"many events, returns":  {strings.Repeat("data: "+long+"\r\r", 10), ""},
		"many events, both":     {strings.Repeat("data: "+long+"\r\n\r\n", 10), ""},
		"line without end":      {"data: " + long + long, "larger than 1000 bytes"},
		"lines without end":     {strings.Repeat("data: 0123456789\n", 100), "larger than 1000 bytes"},
		"lines, both":           {strings.Repeat("data: 0123456789\r\n", 100), "larger than 1000 bytes"},
		"comments without end":  {strings.Repeat(": 0123456789\n", 100_000), ""},
		"a comment without end": {":" + long + long, "larger than 1000 bytes"},
		"very many lines":       {strings.Repeat("d\n", 900), "too many lines"},
		"many lines":            {strings.Repeat("d\n", 400) + "\n" + strings.Repeat("d\n", 400), ""},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"at once":      func(r io.Reader) io.Reader { return r },
			"byte by byte": iotest.OneByteReader,
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				_, err := io.Copy(io.Discard, newGuard(wrap(strings.NewReader(test.text)), limit))
				if test.want == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, ErrInvalidData)
				require.ErrorContains(t, err, test.want)
			})
		}
	}
}
