package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/launchdarkly/go-jsonstream/v3/jreader"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// referenceMetadata reads an item's version and deleted mark with the reader that flags and segments are decoded with,
// which is what [core.ParseItem] has to agree with.
func referenceMetadata(data []byte) (version int, deleted bool, err error) {
	if deeperThan(data, 1000) {
		return 0, false, errors.New("too deep")
	}
	r := jreader.NewReader(data)
	for obj := r.Object(); obj.Next(); {
		switch string(obj.Name()) {
		case "version":
			number := r.Float64()
			if number != math.Trunc(number) || math.Abs(number) > 1<<53 {
				return 0, false, errors.New("no integer")
			}
			version = int(number)
		case "deleted":
			deleted = r.Bool()
		}
	}
	if err := r.Error(); err != nil {
		return 0, false, err
	}
	return version, deleted, r.RequireEOF()
}

// deeperThan reports whether the JSON is nested deeper than limit. Of text that is not JSON it may say anything.
func deeperThan(data []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > limit {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// disagreement says in what ParseItem and the reference differ about data, or nothing.
func disagreement(data []byte) string {
	version, deleted, wantErr := referenceMetadata(data)
	item, err := core.ParseItem(data)
	switch {
	case err == nil && wantErr != nil && json.Valid(data): // a number out of range, which is left to the decoder
		if _, err := item.Flag(); !errors.Is(err, core.ErrCorrupt) {
			return fmt.Sprintf("%.200q: as a flag: error %v, reference %v", data, err, wantErr)
		}
	case (err == nil) != (wantErr == nil):
		return fmt.Sprintf("%.200q: error %v, reference %v", data, err, wantErr)
	case err != nil && !errors.Is(err, core.ErrCorrupt):
		return fmt.Sprintf("%.200q: error %v", data, err)
	case err == nil && (item.Version() != version || item.Deleted() != deleted):
		return fmt.Sprintf("%.200q: %d %t, reference %d %t", data, item.Version(), item.Deleted(), version, deleted)
	case err == nil && !json.Valid(data) && !isLenient(data):
		return fmt.Sprintf("%.200q: accepted, and no JSON", data)
	}
	return ""
}

// isLenient reports whether data has something of what is accepted although it is not JSON: a control character or space
// that JSON does not know, a number with a zero before or without a digit beside its point.
func isLenient(data []byte) bool {
	isDigit := func(i int) bool { return i >= 0 && i < len(data) && '0' <= data[i] && data[i] <= '9' }
	for i, c := range data {
		switch {
		case c < ' ', c == 0x85, c == 0xA0, c == '0' && isDigit(i+1) && !isDigit(i-1), c == '.' && (!isDigit(i-1) || !isDigit(i+1)):
			return true
		}
	}
	return false
}

// metadataSeeds are texts that ParseItem and the reference must agree about.
func metadataSeeds() []string {
	seeds := []string{
		`{"key":"a","version":1,"deleted":false}`, `{"version":1e2,"x":[{"version":"\u0000"}]}`, nested(1000), nested(1001),
		"\n\t {\"s\":\"\\\"version\\\":7\", \"version\" : 1 }\r\n", `{"größe":1e3,"version":1,"x":null,"y":[1,"2",{},[],[{}]]}`,
		"\v\f\x85\xa0{\x85}\v", "\xef\xbb\xbf{}", "\x00", "{}\x00", "{\x00}", "{\"\x00\x1f\":\"\x00\x1f\x7f\"}", "{\"\xff\":\"\xff\xed\xa0\x80\"}",
		`{"version":7,"x":{"a":1,}}`, `{"version":7,"x":[1,]}`, `{"version":7,"x":[1}]`, `{"version":7,"x":{"a":1]}`, `{"x":[{"a":[]}],"y":{"b":{}}}`,
		`{"deleted":true,"deleted":false,"version":9,"version":8}`, `{"version":1,"version":"x"}`, `{"Version":1,"versions":2,"versio":3}`,
	}
	for _, name := range []string{
		`versio\u006e`, `\u0076ersion`, `\u0076\u0065\u0072\u0073\u0069\u006F\u006e`, `version\u0000`, `version\ud800`, `versio\n`, `\/ersion`,
		`\u0176ersion`, `delete\u0064`, `\u0064eleted`, `version\`, `version\"`, `version\u006`, `version\u00zz`, `\u0076e`, `\u+076ersion`, `ver\u0073ion\u0020`,
	} {
		seeds = append(seeds, `{"`+name+`":3}`, `{"version":2,"`+name+`":true}`, `{"x":"`+name+`"}`)
	}
	for _, text := range []string{`\ud83d\ude00`, `\ud83d`, `\ude00\ud83d`, `\uD83Dx`, `\b\f\n\r\t\/\\\"`, `\x`, `\U0041`, `\'`, `\`, `"`, `12345678"`, `1234567\`} {
		seeds = append(seeds, `{"version":4,"x":"`+text+`"}`, `{"x":["`+text+`"],"version":4}`)
	}
	for _, value := range []string{
		`0`, `-0`, `-0.0`, `00`, `007`, `1.`, `1.e1`, `01.50`, `-.5`, `-.5e1`, `.5`, `-`, `-.`, `-e1`, `-.e1`, `+1`, `1e`, `1e+`, `1e5`, `1E+2`, `1000e-3`, `0.1e1`, `2.0`,
		`1.5`, `1e-1`, `1e400`, `-1e400`, `1e-400`, `1e308`, `1.8e308`, `9007199254740991`, `9007199254740992`, `9007199254740993`, `9007199254740994`,
		`-9007199254740993`, `9007199254740992.5`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `-9223372036854775809`,
		`18446744073709551616`, `18446744073709551617`, `-18446744073709551621`, `18446744073709551616.0`, `99999999999999999999999`,
		strings.Repeat("9", 308) + ".0", strings.Repeat("9", 309) + ".0", strings.Repeat("9", 400), "0." + strings.Repeat("9", 400), strings.Repeat("0", 400) + ".5",
		`1 2`, `1e5.5`, `0x10`, `1_0`, `NaN`, `Infinity`, `true`, `false`, `null`, `tru`, `truex`, `nul`, `True`, `"1"`, `[1]`, `{}`, `[]`, `[,]`, `{,}`, `'1'`, `1//`, ``,
	} {
		for _, format := range []string{`{"version":%s}`, `{"deleted": %s }`, `{"x":%s,"version":6}`, `{"version":6,"x":[%s]}`, `{"version":6,"x":{"y":%s}}`, `%s`} {
			seeds = append(seeds, fmt.Sprintf(format, value))
		}
	}
	return seeds
}

func TestParseItem_Metadata_AgreesWithTheDecoder(t *testing.T) {
	for _, seed := range metadataSeeds() {
		require.Empty(t, disagreement([]byte(seed)))
	}
}

func TestParseItem_Metadata_AgreesWithTheDecoderAboutDamagedTexts(t *testing.T) {
	for _, text := range append(metadataSeeds(), string(flagOf2KB(t))) {
		for i := range len(text) {
			damaged := []string{text[:i]}
			if len(text) < 100 {
				for _, c := range []string{"\x00", "\n", "\x85", `"`, `\`, "{", "}", "[", "]", ",", ":", ".", "-", "e", "0", "9", "t", "u"} {
					damaged = append(damaged, text[:i]+c+text[i+1:], text[:i]+c+text[i:])
				}
			}
			for _, text := range damaged {
				if d := disagreement([]byte(text)); d != "" {
					t.Fatal(d)
				}
			}
		}
	}
}

// All texts up to some length, made of the characters that mean something where they are put.
func TestParseItem_Metadata_AgreesWithTheDecoderAboutAllShortTexts(t *testing.T) {
	for _, c := range []struct {
		format, characters string
		length             int
	}{
		{`{"version":%s}`, "019-+.eE ", 5},
		{`{"x":%s,"version":2}`, "019-+.eE ", 5},
		{`{"x":[%s],"version":2}`, `0-,"[]{}: `, 5},
		{`%s`, `"1:,{}`, 7},
		{`{"x":"%s"}`, "\\\"u0aDn/\x00", 5},
		{`{"versio\u00%s":3}`, `\"6en`, 5},
	} {
		texts := []string{""}
		for range c.length {
			var longer []string
			for _, text := range texts {
				if d := disagreement(fmt.Appendf(nil, c.format, text)); d != "" {
					t.Fatal(d)
				}
				for i := range len(c.characters) {
					longer = append(longer, text+c.characters[i:i+1])
				}
			}
			texts = longer
		}
	}
}

func TestParseItem_Metadata_EveryByteAgreesWithTheDecoder(t *testing.T) {
	for _, format := range []string{
		`%s{}`, `{}%s`, `{%s}`, `{"x":%s1}`, `{"x":1%s}`, `{"x"%s:1}`, `{"x":1,%s"y":2}`, `{"x":[%s]}`, `{"x":[1%s]}`, `{"x":t%s}`, `{"x":true%s}`,
		`{"x":"%s"}`, `{"x":"\%s"}`, `{"x":"\u000%s"}`, `{"version%s":3}`, `{"version":%s}`, `{"version":1%s}`, `{"deleted":%s}`, `{"x":"1234567%s"}`,
	} {
		for c := range 256 {
			require.Empty(t, disagreement(fmt.Appendf(nil, format, string([]byte{byte(c)}))))
		}
	}
}

func TestParseItem_Allocates_TheItemOnly(t *testing.T) {
	data := flagOf2KB(t)
	require.InDelta(t, 1, testing.AllocsPerRun(100, func() { _, _ = core.ParseItem(data) }), 0)
	escaped := []byte(`{"version":1.5e3,"x":[1e5,"\u00e9",{"y\u0064":[true,false,null]}],"deleted":true}`)
	require.InDelta(t, 1, testing.AllocsPerRun(100, func() { _, _ = core.ParseItem(escaped) }), 0)
}

// FuzzMetadata looks for texts about which ParseItem and the decoder of flags and segments disagree.
func FuzzMetadata(f *testing.F) {
	for _, seed := range metadataSeeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if d := disagreement(data); d != "" {
			t.Fatal(d)
		}
	})
}
