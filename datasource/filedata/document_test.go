package filedata

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever a file holds, it is refused or every entry of it is JSON with a key.
func FuzzParseDocument(f *testing.F) {
	for _, text := range []string{
		"", "{}", `{"flags":{"a":{"key":"a"}},"flagValues":null,"x":[1]}`, "{\"flags\":{\n", "flags:\n  a: {on: yes}\n",
		"a: &a [1, *a]\nflags: *a\n", "flagValues: {<<: {a: 1}, b: 0x1F, c: .5, d: .nan, e: !!binary aGk=}\n", "--- 1\n--- 2\n",
		"flags: &f {<<: *f}\n", "? {a: 1}\n: 2\n", "flagValues:\n  a: |\n    x\n  b: !!float 3\n  c: !!int '7'\n  d: !!bool yes\n",
	} {
		f.Add("f.json", text)
		f.Add("f.yaml", text)
	}
	f.Fuzz(func(t *testing.T, path, text string) {
		doc, err := parseDocument(path, []byte(text))
		if err != nil {
			return
		}
		for _, e := range doc.entries {
			if !json.Valid(e.json) {
				t.Fatalf("%q became %q, which is not JSON", e.key, e.json)
			}
			if item, err := e.item(); err == nil && item.Version() == 0 && !strings.Contains(text, "version") {
				t.Fatalf("%q has no version", e.key)
			}
		}
	})
}

// Positions are found in one pass, so that large files load in a time that is proportional to their size.
func TestParseDocument_LargeFiles(t *testing.T) {
	const flags = 5_000
	var text strings.Builder
	text.WriteString("{\"flags\":{\n")
	for i := range flags {
		fmt.Fprintf(&text, "%q:{\"on\":true,\"variations\":[%q]},\n", fmt.Sprintf("flag-%d", i), strings.Repeat("x", 500))
	}
	text.WriteString("\"last\":{}}}")
	for _, name := range []string{"f.json", "f.yaml"} {
		began := time.Now()
		doc, err := parseDocument(name, []byte(text.String()))
		require.NoError(t, err)
		require.Len(t, doc.entries, flags+1)
		require.Equal(t, flags+2, doc.entries[flags].line)
		require.Less(t, time.Since(began), time.Minute)
	}
}
