package itemjson

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var ways = []string{
	`{"key":"a","version":1,"deleted":false}`, `{"key":"\u0061\ud83d\ude00","version":1e2}`, `{"key":7,"version":9007199254740993}`,
	`{"version":18446744073709551617,"version":2,"key":"a","key":"b"}`, `{"key":[1,{"version":3}],"version":4}`, `{"key":{"a":[]},"deleted":true}`,
	`{"key":null,"nested":{"version":9,"deleted":true,"key":"x"}}`, `{}`, ` {"versio\u006e":3 , "\u006bey" : "k" } `, "{\"key\":\"\xff\"}",
	`{"version":"1"}`, `{"version":1.5}`, `{"deleted":null}`, `[]`, `7`, ``, `{"version":1`, `{"version":1} {}`, "{\"key\":\"\x01\",\"version\":01}",
}

// Both ways of reading say the same of what both can read.
func FuzzRead_BothWaysAgree(f *testing.F) {
	for _, text := range ways {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if deeperThan(data, maxDepth) {
			return
		}
		quick, ok := readOrdinary(data)
		slow, err := readAny(data)
		if ok && err == nil {
			if slow.Key == "" { // which says nothing about a key that is not UTF-8
				quick.Key = ""
			}
			require.Equal(t, slow, quick, "%q", data)
		}
	})
}

func TestRead_Key(t *testing.T) {
	for text, want := range map[string]string{
		`{"key":"a"}`: "a", `{"key":"\u0061\n"}`: "a\n", `{"key":"a","key":"b"}`: "b", `{"key":"a","key":1}`: "", `{"key":[1,[2]],"version":1}`: "",
		`{"key":{"a":{"b":1}},"version":1}`: "", "{\"x\":\"\x01\",\"key\":\"a\"}": "a", "{\"x\":\"\x01\",\"key\":{\"a\":[1]},\"version\":1}": "",
	} {
		meta, err := Read([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, meta.Key, text)
	}
}

func TestDeeperThan_Limit(t *testing.T) {
	for depth := range 6 {
		for _, text := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"[[[[[[\"{":`, depth) + "0" + strings.Repeat("}", depth),
			`[[],[],[],[],` + strings.Repeat("[", max(0, depth-1)) + strings.Repeat("]", max(0, depth-1)) + `]`,
		} {
			limit := max(depth, strings.Count(text, "[[],")*2)
			require.False(t, deeperThan([]byte(text), limit), strconv.Quote(text))
			require.Equal(t, depth > 3, deeperThan([]byte(text), 3), strconv.Quote(text))
		}
	}
}
