package fdv2

import (
	"encoding/json"
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
