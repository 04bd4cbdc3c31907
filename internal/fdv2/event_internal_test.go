package fdv2

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is taken for ordinary is what package json makes of it.
func FuzzScanObject_AsPackageJSON(f *testing.F) {
	for _, text := range []string{
		`{"version":1,"kind":"flag","key":"a","object":{"key":"a","version":7}}`, ` { "key" : "a" , "object" : null , "version" : -0 , "key" : "b" } `,
		`{"version":1e3}`, `{"version":9223372036854775808}`, `{"Key":"a"}`, `{"key":"\u0061"}`, `{"key":null}`, `{"object":[`, `{"x":1}`, `{"key":"` + "\xff" + `"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scanned, ok := scanObject([]byte(text))
		if !ok {
			return
		}
		var whole object
		require.NoError(t, json.Unmarshal([]byte(text), &whole))
		require.Equal(t, whole, scanned)
	})
}

func TestScanObject_TakesWhatTheServiceSends(t *testing.T) {
	for text, want := range map[string]bool{
		`{"version":1,"kind":"flag","key":"a","object":{"key":"a","version":7}}`: true,
		`{"version":4,"kind":"segment","key":"b"}`:                               true,
		`{"version":"4","kind":"segment","key":"b"}`:                             false,
		`{"version":4,"kind":"segment","key":"` + "\xff" + `"}`:                  false,
	} {
		_, ok := scanObject([]byte(text))
		require.Equal(t, want, ok, text)
	}
}

// What is taken for an ordinary answer is what package json makes of it.
func FuzzScanAnswer_AsPackageJSON(f *testing.F) {
	for _, text := range []string{
		`{"events":[{"event":"server-intent","data":{"payloads":[]}},{"data":[1 , 2],"event":"x"}]}`, ` { "events" : [ { } ] } `, `{"events":[]}`, `{}`,
		`{"events":null}`, `{"events":[{"event":"a"}],"events":[{"data":1}]}`, `{"Events":[{}]}`, `{"events":[{"event":null}]}`, `{"events":[{"event":"a"}`,
		`{"events":[{"event":"` + "\xff" + `"}]}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scanned, ok := scanAnswer([]byte(text))
		if !ok {
			return
		}
		var whole answer
		require.NoError(t, json.Unmarshal([]byte(text), &whole))
		require.Len(t, scanned, len(whole.Events))
		for i, event := range whole.Events {
			require.Equal(t, event, scanned[i])
		}
	})
}

func TestScanAnswer_TakesWhatTheServiceSends(t *testing.T) {
	events, ok := scanAnswer([]byte(`{"events":[{"event":"server-intent","data":{"payloads":[]}},{"event":"payload-transferred","data":{"state":"s"}}]}`))
	require.True(t, ok)
	require.Len(t, events, 2)
}

// BenchmarkReadPoll_10000Flags reads an environment of ordinary flags.
func BenchmarkReadPoll_10000Flags(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"events":[{"event":"server-intent","data":{"payloads":[{"id":"p","intentCode":"xfer-full"}]}}`)
	for i := range 10_000 {
		_, _ = fmt.Fprintf(&text, `,{"event":"put-object","data":{"version":1,"kind":"flag","key":"flag-%d","object":{"key":"flag-%d","version":%d,"on":true,`+
			`"variations":[true,false],"offVariation":1,"fallthrough":{"variation":0},"targets":[{"variation":0,"values":["ann","bob","cyd"]}]}}}`, i, i, i)
	}
	text.WriteString(`,{"event":"payload-transferred","data":{"state":"s"}}]}`)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ReadPoll([]byte(text.String()), slog.New(slog.DiscardHandler)); err != nil {
			b.Fatal(err)
		}
	}
}
