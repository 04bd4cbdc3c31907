package flagservice

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func TestReadAll_KeepsTheTextOfItems(t *testing.T) {
	const flag = `{ "key":"a", "version": 3,"variations":[1.50,"ü\u00fc"], "new": {"x":[ ]} }`
	data, err := ReadAll(strings.NewReader(` {"other":[{}],"flags":{"a":`+flag+`,"d":{"version":4,"deleted":true}},"segments":null} `), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, []core.DataKind{core.Segments, core.Flags}, []core.DataKind{data[0].Kind, data[1].Kind})
	require.Empty(t, data[0].Items)
	require.Len(t, data[1].Items, 2)
	require.Equal(t, "a", data[1].Items[0].Key)
	require.True(t, bytes.Equal([]byte(flag), data[1].Items[0].Item.JSON()))
	require.Equal(t, 3, data[1].Items[0].Item.Version())
	require.True(t, data[1].Items[1].Item.Deleted())
}

func TestReadAll_LastOfEqualKeysCounts(t *testing.T) {
	data, err := ReadAll(strings.NewReader(`{"flags":{"a":{"version":1},"b":{"version":1},"a":{"version":2}}}`), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Len(t, data[1].Items, 2)
	require.Equal(t, 2, data[1].Items[0].Item.Version())
}

func TestReadAll_EmptyKeyIsSkipped(t *testing.T) {
	data, err := ReadAll(strings.NewReader(`{"flags":{"":{"version":1},"b":{"version":1},"":5}}`), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Len(t, data[1].Items, 1)
	require.Equal(t, "b", data[1].Items[0].Key)
}

func TestReadAll_ErrorOfTheReaderIsKept(t *testing.T) {
	broken := errors.New("broken")
	_, err := ReadAll(io.MultiReader(strings.NewReader(`{"flags":{"a":`), iotest.ErrReader(broken)), slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, ErrInvalidData)
}

// JSON that is about something else is not an environment without flags, which would delete all of them.
func TestReadAll_WithoutFlags_IsInvalid(t *testing.T) {
	for _, text := range []string{
		`{}`, `{"error":"upstream unavailable"}`, `{"flags":null,"segments":{}}`, `{"Flags":{}}`, `{"segments":{}}`,
	} {
		_, err := ReadAll(strings.NewReader(text), slog.New(slog.DiscardHandler))
		require.ErrorIs(t, err, ErrInvalidData, text)
		require.ErrorContains(t, err, `"flags" is missing`, text)
		_, _, err = ReadPut([]byte(`{"path":"/","data":`+text+`}`), slog.New(slog.DiscardHandler))
		require.ErrorIs(t, err, ErrInvalidData, text)
	}
}

func TestReadPut_Path(t *testing.T) {
	for text, want := range map[string]bool{
		`{"data":{"flags":{}}}`:            true,
		`{"path":"/","data":{"flags":{}}}`: true,
		`{"data":{"flags":{}},"path":"/"}`: true,
		`{"path":"","data":{"flags":{}}}`:  true,
		`{"path":"/flags","data":5}`:       false,
	} {
		data, ok, err := ReadPut([]byte(text), slog.New(slog.DiscardHandler))
		require.NoError(t, err, text)
		require.Equal(t, want, ok, text)
		require.Equal(t, want, data != nil, text)
	}
}

func FuzzReadPut(f *testing.F) {
	for _, seed := range []string{
		`{"path":"/","data":{"flags":{"a":{"version":1}},"segments":{}}}`, `{"data":null}`, `[]`, ``, `{"data":{"flags":{"a":[`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		data, ok, err := ReadPut([]byte(text), slog.New(slog.DiscardHandler))
		if err != nil {
			require.ErrorIs(t, err, ErrInvalidData)
			require.False(t, ok)
		}
		requireScannedAsParsed(t, text)
		for _, collection := range data {
			for _, item := range collection.Items {
				require.NotEmpty(t, item.Key)
				require.NotNil(t, item.Item)
			}
		}
	})
}

func FuzzReadUpdate(f *testing.F) {
	for _, seed := range []string{
		`{"path":"/flags/a","data":{"version":1}}`, `{"path":"/segments/a","version":1e3}`, `{"path":"/flags/","version":-1}`, `7`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func([]byte, *slog.Logger) (Update, bool, error){ReadPatch, ReadDelete} {
			update, ok, err := read([]byte(text), slog.New(slog.DiscardHandler))
			if err != nil {
				require.ErrorIs(t, err, ErrInvalidData)
			}
			require.Equal(t, ok, update.Key != "")
		}
	})
}

// BenchmarkReadAll_10000Flags reads an environment of ordinary flags.
func BenchmarkReadAll_10000Flags(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"flags":{`)
	for i := range 10_000 {
		if i > 0 {
			text.WriteByte(',')
		}
		_, _ = fmt.Fprintf(&text, `"flag-%d":{"key":"flag-%d","version":%d,"on":true,"salt":"abc","variations":[true,false],`+
			`"offVariation":1,"fallthrough":{"variation":0},"targets":[{"variation":0,"values":["ann","bob","cyd"]}],`+
			`"rules":[{"id":"r%d","variation":1,"clauses":[{"attribute":"country","op":"in","values":["ch","at","de"]}]}]}`, i, i, i, i)
	}
	text.WriteString(`},"segments":{}}`)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadAll(strings.NewReader(text.String()), slog.New(slog.DiscardHandler)); err != nil {
			b.Fatal(err)
		}
	}
}

// A byte that is not UTF-8 is refused wherever it is, also where the reader cuts the text, and characters that are cut are not.
func TestReadAll_NotUTF8_IsRefused(t *testing.T) {
	for _, text := range []string{
		`{"flags":{"a":{"key":"a","version":1,"salt":"` + "\xff" + `"}}}`,
		`{"flags":{"` + "a\xc3" + `":{"version":1}}}`,
		`{"flags":{}} ` + "\xe2\x82",
	} {
		for _, reader := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			_, err := ReadAll(reader, slog.New(slog.DiscardHandler))
			require.ErrorIs(t, err, ErrInvalidData, "%q", text)
		}
		_, _, err := ReadPut([]byte(`{"path":"/","data":`+text+`}`), slog.New(slog.DiscardHandler))
		require.ErrorIs(t, err, ErrInvalidData, "%q", text)
	}
	const whole = `{"flags":{"ä€😀":{"version":1,"salt":"ä€😀\ud83d"}}}`
	for _, reader := range []io.Reader{
		strings.NewReader(whole), iotest.OneByteReader(strings.NewReader(whole)), iotest.DataErrReader(strings.NewReader(whole)),
	} {
		data, err := ReadAll(reader, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.Equal(t, "ä€😀", data[1].Items[0].Key)
	}
	for _, read := range []func([]byte, *slog.Logger) (Update, bool, error){ReadPatch, ReadDelete} {
		_, _, err := read([]byte(`{"path":"/flags/a`+"\xff"+`","version":1,"data":{"version":1}}`), slog.New(slog.DiscardHandler))
		require.ErrorIs(t, err, ErrInvalidData)
	}
}

// What has an empty key is left out and logged, and all else stays.
func TestRead_EmptyKey_IsLeftOutAndLogged(t *testing.T) {
	var output bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&output, nil))
	data, err := ReadAll(strings.NewReader(`{"flags":{"":{"version":1},"b":{"version":1},"":5}}`), logger)
	require.NoError(t, err)
	require.Len(t, data[1].Items, 1)
	_, ok, err := ReadPatch([]byte(`{"path":"/segments/","data":{"version":1}}`), logger)
	require.NoError(t, err)
	require.False(t, ok)
	_, ok, err = ReadDelete([]byte(`{"path":"/flags/","version":1}`), logger)
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, 3, strings.Count(output.String(), "empty key"))
	require.Contains(t, output.String(), "kind=segments")
}

func TestReadAll_NamesTheBrokenItemAndWhatIsFound(t *testing.T) {
	for text, want := range map[string]string{
		`{"flags":{"good":{},"bad":{"on":"yes"}}}`:                  `"bad" in "flags": "on" must be a boolean, and is the string "yes"`,
		`{"flags":{"bad":{"version":"1"}}}`:                         `"bad" in "flags": "version" must be a number, and is the string "1"`,
		`{"flags":{"bad":null}}`:                                    `"bad" in "flags": the value must be an object, and is null`,
		`{"flags":{"bad":{"version":1.5}}}`:                         `"bad" in "flags": version 1.5 is not an integer that JSON can hold`,
		`{"flags":{},"segments":{"bad":{"rules":[{"weight":[]}]}}}`: `"bad" in "segments": "rules[0].weight" must be a number or null, and is an array`,
		`{"flags":[]}`:                 `"flags" must be an object, and is an array`,
		`{"flags":5}`:                  `"flags" must be an object, and is the number 5`,
		`{"flags":"x"}`:                `"flags" must be an object, and is the string "x"`,
		`{"flags":{},"segments":true}`: `"segments" must be an object, and is the boolean true`,
		`null`:                         `the data must be an object, and is null`,
		`[]`:                           `the data must be an object, and is an array`,
	} {
		_, err := ReadAll(strings.NewReader(text), slog.New(slog.DiscardHandler))
		require.EqualError(t, err, ErrInvalidData.Error()+": "+want, text)
		require.ErrorIs(t, err, ErrInvalidData)
	}
}
