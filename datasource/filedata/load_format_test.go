package filedata_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/filedata"
)

// write makes a file in a new directory.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// valueFlag is a flag of which only the value is given.
func valueFlag(value string) string {
	return `{"on":true,"fallthrough":{"variation":0},"offVariation":0,"variations":[` + value + `]}`
}

// whole returns the JSON of an item with the name, such as features/key, of which some properties are given.
func whole(name, given string) string {
	kind, key, _ := strings.Cut(name, "/")
	properties := [][2]string{
		{"key", strconv.Quote(key)}, {"included", "[]"}, {"excluded", "[]"}, {"includedContexts", "[]"}, {"excludedContexts", "[]"},
		{"salt", `""`}, {"rules", "[]"}, {"version", "1"}, {"generation", "null"}, {"deleted", "false"},
	}
	if kind == string(core.Flags) {
		properties = [][2]string{
			{"key", strconv.Quote(key)}, {"on", "false"}, {"prerequisites", "[]"}, {"targets", "[]"}, {"contextTargets", "[]"},
			{"rules", "[]"}, {"fallthrough", "{}"}, {"offVariation", "null"}, {"variations", "[]"}, {"clientSide", "false"},
			{"salt", `""`}, {"trackEvents", "false"}, {"trackEventsFallthrough", "false"}, {"debugEventsUntilDate", "null"},
			{"version", "1"}, {"deleted", "false"},
		}
	}
	var there map[string]json.RawMessage
	if err := json.Unmarshal([]byte(given), &there); err != nil {
		panic(err)
	}
	var text strings.Builder
	text.WriteString(strings.TrimSuffix(given, "}"))
	for _, property := range properties {
		if there[property[0]] == nil {
			fmt.Fprintf(&text, ",%q:%s", property[0], property[1])
		}
	}
	return strings.Replace(text.String(), "{,", "{", 1) + "}"
}

// requireItems compares the JSON of items, in which every digit counts and the order of properties does not.
func requireItems(t *testing.T, want, got map[string]string) {
	t.Helper()
	require.Equal(t, parse(t, want), parse(t, got))
}

// parse parses JSON with every digit of its numbers.
func parse(t *testing.T, texts map[string]string) map[string]any {
	t.Helper()
	parsed := map[string]any{}
	for name, text := range texts {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var value any
		require.NoError(t, decoder.Decode(&value), text)
		parsed[name] = value
	}
	return parsed
}

// wholeItems returns items by name, of which some properties are given.
func wholeItems(given map[string]string) map[string]string {
	items := map[string]string{}
	for name, text := range given {
		items[name] = whole(name, text)
	}
	return items
}

func TestSource_Start_LoadsFile(t *testing.T) {
	type items = map[string]string
	for _, tc := range []struct {
		name, file, text string
		want             items
	}{
		{
			"flags and segments keep what they have, unknown properties included", "f.json",
			`{"flags":{"a":{ "version":7, "key":"a", "on":true, "newThing":{"x":[1e2]} }},"segments":{"s":{"key":"s","version":2}}}`,
			items{
				"features/a": `{"version":7,"key":"a","on":true,"newThing":{"x":[1e2]}}`,
				"segments/s": `{"key":"s","version":2}`,
			},
		},
		{
			"key and version are filled in", "f.json", `{"flags":{"a":{},"b":{"version":3},"c\"":{"key":"c\"","on":true}}}`,
			items{
				"features/a":   `{}`,
				"features/b":   `{"version":3}`,
				"features/c\"": `{"key":"c\"","on":true}`,
			},
		},
		{
			"flag values", "f.json", `{"flagValues":{"a":true,"b":{"x":12345678901234567890},"c":null,"d":"<&>"}}`,
			items{
				"features/a": valueFlag("true"),
				"features/b": valueFlag(`{"x":12345678901234567890}`),
				"features/c": valueFlag("null"),
				"features/d": valueFlag(`"<&>"`),
			},
		},
		{"no flags", "f.json", `{"flags": {}}`, items{}},
		{"no flags in YAML", "f.yaml", "{\"flags\": {}}\n", items{}},
		{"a section and something else", "f.yaml", "error: x\nsegments: {}\n", items{}},
		{"a merged section", "f.yaml", "x: &x {flagValues: {a: 1}}\n<<: *x\n", items{"features/a": valueFlag("1")}},
		{"sections without anything", "f.json", `{"flags":null,"flagValues": null,"segments":{}}`, items{}},
		{"YAML version 1.2", "f.yaml", "\ufeff# flags\n\n%YAML 1.2 # the newer one\n---\nflagValues:\n  f: \"%YAML 1.2\"\n", items{"features/f": valueFlag(`"%YAML 1.2"`)}},
		{"YAML version 1.1", "f.yaml", "%YAML 1.1\n---\nflagValues: {f: 1}\n", items{"features/f": valueFlag("1")}},
		{"YAML binary", "f.yaml", "flagValues:\n  f: !!binary aGVsbG8=\n  g: !!binary |\n    w7wg\n    w7w=\n", items{
			"features/f": valueFlag(`"hello"`), "features/g": valueFlag(`"ü ü"`),
		}},
		{"byte order mark", "f.json", "\ufeff" + `{"flags":{"a":{"key":"a","version":1}}}`, items{"features/a": `{"key":"a","version":1}`}},
		{"JSON by content", "flags.conf", ` {"flags":{"a":{"key":"a","version":1}}}`, items{"features/a": `{"key":"a","version":1}`}},
		{"YAML by content", "flags.conf", "flags:\n  a:\n    key: a\n    version: 1\n", items{"features/a": `{"key":"a","version":1}`}},
		{
			"numbers and properties of other writers stay, and what is in a flag is completed too", "f.json",
			`{"flags":{"a":{"rules":[{"x":1.0,"clauses":[{"attribute":"n","op":"in","values":[9007199254740993]}]}],"clientSide":true}}}`,
			items{"features/a": `{"rules":[{"x":1.0,"clauses":[{"attribute":"n","op":"in","values":[9007199254740993],"negate":false}],` +
				`"trackEvents":false}],"clientSide":true}`},
		},
		{
			"null is the same as missing", "f.yaml", "flags: {a: {rules: ~, targets: }}\nsegments: {s: {included: ~}}\n",
			items{"features/a": `{}`, "segments/s": `{}`},
		},
		{
			"what is missing follows from what is there", "f.json",
			`{"flags":{"a":{"clientSideAvailability":{"usingEnvironmentId":true,"usingMobileKey":false}}}}`,
			items{"features/a": `{"clientSideAvailability":{"usingEnvironmentId":true,"usingMobileKey":false},"clientSide":true}`},
		},
		{"empty YAML sections", "f.yml", "flags:\nsegments: {}\n", items{}},
		{
			"YAML keeps digits, and on is a name", "f.YAML",
			"flags:\n  a:\n    version: 2\n    on: true\n    variations: [9007199254740993, 123456789012345678901234567890, 1.10, -0.5e-7, 1e300]\n",
			items{"features/a": `{"version":2,"on":true,"variations":[9007199254740993,123456789012345678901234567890,1.10,-0.5e-7,1e300]}`},
		},
		{
			"YAML numbers that JSON writes differently", "f.yaml",
			"flagValues:\n  a: [0x10, 1_000, .5, +3, 0o17, 1_0.5]\n",
			items{"features/a": valueFlag(`[16,1000,0.5,3,15,10.5]`)},
		},
		{
			"YAML scalars", "f.yaml",
			"flagValues:\n  a: [yes, 'no', \"true\", true, ~, 2024-01-02, \"1\", |\n    x\n    y\n  ]\n",
			nil,
		},
		{
			"YAML scalars", "f.yaml",
			"flagValues:\n  a: [yes, 'no', \"true\", true, ~, 2024-01-02, \"1\"]\n  1: false\n  true: 2\n",
			items{
				"features/a":    valueFlag(`["yes","no","true",true,null,"2024-01-02","1"]`),
				"features/1":    valueFlag(`false`),
				"features/true": valueFlag(`2`),
			},
		},
		{
			"YAML anchors, aliases and merges", "f.yaml",
			"base: &base {version: 5, on: false}\nmore: &more {salt: s, version: 6}\n" +
				"flags:\n  a: {<<: *base, on: true}\n  b: {<<: [*base, *more]}\n  c: &c {on: true}\n  d: *c\n",
			items{
				"features/a": `{"on":true,"version":5}`,
				"features/b": `{"version":5,"on":false,"salt":"s"}`,
				"features/c": `{"on":true}`,
				"features/d": `{"on":true}`,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSink()
			source := start(t, s, filedata.Options{Paths: []string{write(t, tc.file, tc.text)}})
			if tc.want == nil {
				s.waitForState(t, core.DataSourceOff)
				return
			}
			s.waitForState(t, core.DataSourceValid)
			requireItems(t, wholeItems(tc.want), s.items())
			require.True(t, source.Initialized())
			require.False(t, ended(source))
		})
	}
}

// A deleted item may be in any shape in a file, and is whole in the data.
func TestSource_Start_TombstoneIsWhole(t *testing.T) {
	for _, given := range []string{`{"key":"a","version":4,"deleted":true}`, `{"version":4,"deleted":true,"rules":3}`} {
		s := newSink()
		start(t, s, filedata.Options{Paths: []string{write(t, "f.json", `{"flags":{"a":`+given+`},"segments":{"a":`+given+`}}`)}})
		s.waitForState(t, core.DataSourceValid)
		require.Equal(t, map[string]string{
			"features/a": string(core.NewTombstone(core.Flags, "a", 4).JSON()),
			"segments/a": string(core.NewTombstone(core.Segments, "a", 4).JSON()),
		}, s.items())
	}
}

func TestSource_Start_RefusesFile(t *testing.T) {
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	for _, tc := range []struct {
		name, file, text string
		wants            []string
	}{
		{"empty", "f.json", "", []string{"f.json", "empty"}},
		{"white space", "f.yaml", " \n\n", []string{"f.yaml", "empty"}},
		{"YAML with nothing but a comment", "f.yaml", "# later\n", []string{"empty"}},
		{"YAML null", "f.yaml", "~\n", []string{"empty"}},
		{"no section", "f.json", "\n{\n\"flagz\": {\"a\": 1}, \"x\": 2}", []string{"line 3: ", `no "flags", "flagValues" or "segments"`, `only "flagz", "x"`, `{"flags": {}}`}},
		{"no section in YAML", "f.yaml", "---\nerror: x\n", []string{"line 2: ", `no "flags", "flagValues" or "segments"`, `only "error"`}},
		{"no section, but many flags", "f.json", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1}`, []string{`only "a", "b", "c", "d", "e" and 2 more`}},
		{"no properties", "f.json", "\n{}", []string{"line 2: ", `no "flags", "flagValues" or "segments", only {}`}},
		{"no properties in YAML", "f.yaml", "# later\n{}\n", []string{"line 2: ", `no "flags", "flagValues" or "segments", only {}`}},
		{"half written", "f.json", "{\"flags\": {\n\"a\": {\"key\":\"a\",", []string{"line 2", "unexpected end"}},
		{"syntax", "f.json", "{\n\n\"flags\": {,}}", []string{"line 3", "invalid character ','"}},
		{"text after the end", "f.json", "{}\n}", []string{"line 2"}},
		{"not an object", "f.json", "[]", []string{"line 1", "must be an object"}},
		{"not a mapping", "f.yaml", "- a\n", []string{"line 1", "must be a mapping"}},
		{"section that is no object", "f.json", "{\n\"flags\": 3}", []string{"line 2", `"flags" must be an object`}},
		{"section that is no mapping", "f.yaml", "segments:\n- a\n", []string{"line 2", `"segments" must be a mapping`}},
		{"flag that is no object", "f.json", "{\"flags\":{\n\"a\": true}}", []string{"line 2", `"a" in "flags"`, "must be an object"}},
		{"other key", "f.json", "{\"flags\":{\n\"a\":{\"key\":\"b\"}}}", []string{"line 2", `"a" in "flags"`, `another "key": "b"`}},
		{"key that is no string", "f.json", `{"flags":{"a":{"key":3}}}`, []string{`"a" in "flags": "key" must be a string, and is the number 3`}},
		{"version that is no integer", "f.json", `{"flags":{"a":{"version":1.5}}}`, []string{`"a" in "flags"`, "1.5"}},
		{"wrong type", "f.json", `{"flags":{"a":{"on":"yes"}}}`, []string{`line 1: "a" in "flags": "on" must be a boolean, and is the string "yes"`}},
		{"wrong type in a segment", "f.json", `{"segments":{"s":{"included":true}}}`, []string{`"s" in "segments": "included" must be an array or null, and is the boolean true`}},
		{"wrong type far below the key", "f.json", "{\"flags\":{\n\"a\":\n\n{\"rules\": [{},\n{\"clauses\":[\n{\"op\":\n 3}]}]}}}",
			[]string{`line 7: "a" in "flags": "rules[1].clauses[0].op" must be a string, and is the number 3`}},
		{"wrong type of a version", "f.json", "{\"flags\":{\"a\":{\n\"version\":\"1\"}}}", []string{`line 2: "a" in "flags": "version" must be a number`}},
		{"wrong type in YAML", "f.yaml", "flags:\n  a:\n    rules:\n    - clauses:\n      - values: []\n        op: 3\n",
			[]string{`line 6: "a" in "flags": "rules[0].clauses[0].op" must be a string, and is the number 3`}},
		{"wrong type in a list in YAML", "f.yaml", "segments:\n  s:\n    included:\n    - x\n    - true\n",
			[]string{`line 5: "s" in "segments": "included[1]" must be a string, and is the boolean true`}},
		{"wrong type that is merged", "f.yaml", "flags:\n  a: &a\n    on: true\n  b: {<<: *a, offVariation: x}\n",
			[]string{`line 4: "b" in "flags": "offVariation" must be a number or null, and is the string "x"`}},
		{"wrong type of a flag in YAML", "f.yaml", "flags:\n  a:\n    - x\n", []string{`line 3: "a" in "flags"`, "must be an object"}},
		{"twice", "f.json", "{\"flags\":{\"a\":{},\n\"a\":{}}}", []string{"line 2", `"a" in "flags" is there twice`, "first in line 1"}},
		{"flag and value", "f.yaml", "flags:\n  a: {}\nflagValues:\n  a: 1\n", []string{"line 4", "twice", "first in line 2"}},
		{"YAML property twice", "f.yaml", "flags:\n  a:\n    on: true\n    on: false\n", []string{"line 4", `"on" is there twice`}},
		{"YAML syntax", "f.yaml", "flags:\n  a: [1\nb: 2\n", []string{"f.yaml", "line"}},
		{"two YAML documents", "f.yaml", "flags: {}\n---\nflags: {}\n", []string{"second YAML document"}},
		{"YAML broken after the first document", "f.yaml", "flags: {}\n---\n[\n", []string{"line"}},
		{"YAML infinity", "f.yaml", "flagValues:\n  a: .inf\n", []string{"line 2", ".inf"}},
		{"YAML version that does not exist yet", "f.yaml", "%YAML 2.0\n---\nflags: {}\n", []string{"incompatible"}},
		{"YAML binary that is no text", "f.yaml", "flagValues:\n  a: !!binary //8=\n", []string{"line 2", "!!binary", "not UTF-8"}},
		{"YAML binary that is not base64", "f.yaml", "flagValues:\n  a: 1\n  b: !!binary '*'\n", []string{"line 3", "!!binary", "base64"}},
		{"YAML tag", "f.yaml", "flagValues:\n  a: !secret x\n", []string{"line 2", "!secret"}},
		{"YAML key that is no string", "f.yaml", "flagValues:\n  a: {[1]: 2}\n", []string{"line 2", "key must be a string"}},
		{"YAML merge of a scalar", "f.yaml", "flags:\n  a: {<<: 3}\n", []string{"line 2", "mapping"}},
		{"YAML aliases that multiply", "f.yaml", bomb.String() + "flagValues:\n  a: *a9\n", []string{"too many aliases"}},
		{"YAML alias within itself", "f.yaml", "flagValues:\n  a: &a [*a]\n", []string{"line 2"}},
		{"nested too deeply", "f.json", `{"flagValues":{"a":` + deep + `}}`, []string{"depth"}},
		{"nested too deeply in YAML", "f.yaml", "flagValues: {a: " + deep + "}", []string{"depth"}},
		{"not UTF-8", "f.json", "{\n\"flags\":{\"\xff\":{}}}", []string{"line 2", "UTF-8"}},
		{"too large", "f.json", `{"flagValues":{"a":"` + strings.Repeat("x", 100_000) + `"}}`, []string{"larger than the limit of 100000 bytes"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSink()
			path := write(t, tc.file, tc.text)
			source := start(t, s, filedata.Options{Paths: []string{path}, MaxFileSize: 100_000})
			s.waitForState(t, core.DataSourceOff)
			require.Equal(t, core.DataSourceErrorInvalidData, s.last().err.Kind)
			for _, want := range append(tc.wants, path) {
				require.Contains(t, s.last().err.Message, want)
			}
			require.Zero(t, s.initCount())
			require.False(t, source.Initialized())
			eventually(t, func() bool { return ended(source) }, "nothing is left to do")
		})
	}
}

func TestSource_Start_UnreadableFileIsAnIOError(t *testing.T) {
	directory := t.TempDir()
	for _, path := range []string{filepath.Join(directory, "missing.json"), filepath.Join(directory, "no", "such", "f.json")} {
		s := newSink()
		start(t, s, filedata.Options{Paths: []string{path}})
		s.waitForState(t, core.DataSourceOff)
		require.Equal(t, core.DataSourceErrorNetwork, s.last().err.Kind)
		require.Contains(t, s.last().err.Message, path)
	}
}

func TestSource_Start_RefusesWhatIsNotAFile(t *testing.T) {
	s := newSink()
	start(t, s, filedata.Options{Paths: []string{t.TempDir()}})
	s.waitForState(t, core.DataSourceOff)
	require.Contains(t, s.last().err.Message, "not a regular file")
}

func TestSource_Start_SeveralFilesMakeUpTheData(t *testing.T) {
	a := write(t, "a.json", `{"flags":{"a":{"key":"a","version":1}}}`)
	b := write(t, "b.yaml", "flagValues: {b: 1}\nsegments: {a: {}}\n")
	s := newSink()
	start(t, s, filedata.Options{Paths: []string{a, b}})
	s.waitForState(t, core.DataSourceValid)
	requireItems(t, wholeItems(map[string]string{
		"features/a": `{"key":"a","version":1}`,
		"features/b": valueFlag("1"),
		"segments/a": `{}`,
	}), s.items())
}

func TestSource_Start_DuplicateKeys(t *testing.T) {
	a := write(t, "a.json", `{"flags":{"x":{"key":"x","version":1}}}`)
	b := write(t, "b.json", `{"flags":{"x":{"key":"x","version":2}}}`)
	t.Run("fail", func(t *testing.T) {
		s := newSink()
		start(t, s, filedata.Options{Paths: []string{a, b}})
		s.waitForState(t, core.DataSourceOff)
		require.Contains(t, s.last().err.Message, b)
		require.Contains(t, s.last().err.Message, a)
	})
	t.Run("first wins", func(t *testing.T) {
		s := newSink()
		start(t, s, filedata.Options{Paths: []string{a, b}, DuplicateKeys: filedata.DuplicateKeysFirstWins})
		s.waitForState(t, core.DataSourceValid)
		requireItems(t, wholeItems(map[string]string{"features/x": `{"key":"x","version":1}`}), s.items())
	})
}

func TestSource_Start_UnknownPropertyIsLogged(t *testing.T) {
	for _, path := range []string{
		write(t, "f.json", "{\"flags\":{},\n\"flagvalues\":{\"a\":[{}]},\"flagValues\":{\"b\":1}}"),
		write(t, "f.yaml", "flags: {}\nflagvalues: {a: 1}\nflagValues: {b: 1}\n"),
	} {
		var log bytes.Buffer
		s := newSink()
		source, err := filedata.Source(filedata.Options{Paths: []string{path}})(core.ClientSettings{Logger: slog.New(slog.NewTextHandler(&log, nil))}, s)
		require.NoError(t, err)
		source.Start(t.Context())
		s.waitForState(t, core.DataSourceValid)
		source.Stop()
		eventually(t, func() bool { return ended(source) }, "the source ends")
		require.Contains(t, log.String(), "line=2 property=flagvalues")
		require.Contains(t, log.String(), `known="[flags flagValues segments]"`)
		require.Contains(t, s.items(), "features/b")
		require.Len(t, s.items(), 1)
	}
}

// An empty key is no reason to refuse the rest of a file.
func TestSource_Start_EmptyKeyIsLeftOut(t *testing.T) {
	for _, path := range []string{
		write(t, "f.json", "{\"flags\":{\n\"\":{},\"\":5,\"a\":{}},\n\"flagValues\":{\"\":1},\"segments\":{\"\":{}}}"),
		write(t, "f.yaml", "flags:\n  \"\": 5\n  a: {}\nsegments: {\"\": {}}\n"),
	} {
		var log bytes.Buffer
		s := newSink()
		source, err := filedata.Source(filedata.Options{Paths: []string{path}})(core.ClientSettings{Logger: slog.New(slog.NewTextHandler(&log, nil))}, s)
		require.NoError(t, err)
		source.Start(t.Context())
		s.waitForState(t, core.DataSourceValid)
		source.Stop()
		eventually(t, func() bool { return ended(source) }, "the source ends")
		require.Len(t, s.items(), 1)
		require.Contains(t, s.items(), "features/a")
		require.Equal(t, 1, strings.Count(log.String(), "kind=features"), log.String())
		require.Equal(t, 1, strings.Count(log.String(), "kind=segments"), log.String())
		require.Contains(t, log.String(), "empty key")
		require.Contains(t, log.String(), "line=2")
	}
}

func TestSource_InvalidOptions(t *testing.T) {
	for _, tc := range []struct {
		want    string
		options filedata.Options
	}{
		{"Paths names no file", filedata.Options{}},
		{"Paths[1] is empty", filedata.Options{Paths: []string{"a", ""}}},
		{"DuplicateKeys 7 is unknown", filedata.Options{Paths: []string{"a"}, DuplicateKeys: 7}},
		{"MaxFileSize -1 is negative", filedata.Options{Paths: []string{"a"}, MaxFileSize: -1}},
		{"Debounce -1ns is negative", filedata.Options{Paths: []string{"a"}, Debounce: -1}},
		{"PollInterval -1ns is negative", filedata.Options{Paths: []string{"a"}, PollInterval: -1}},
	} {
		_, err := filedata.Source(tc.options)(core.ClientSettings{}, newSink())
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, tc.want)
	}
}
