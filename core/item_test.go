package core_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/core"
)

func TestParseItem_ReadsVersionAndDeleted(t *testing.T) {
	for json, want := range map[string]struct {
		version int
		deleted bool
	}{
		`{}`:                           {},
		`{"version":3}`:                {version: 3},
		`{"version":-3}`:               {version: -3},
		`{"version":3.0}`:              {version: 3},
		`{"version":9007199254740992}`: {version: 1 << 53},
		`{"version":1,"version":2}`:    {version: 2},
		`{"deleted":true,"version":5,"key":"$deleted"}`:                   {version: 5, deleted: true},
		`{"nested":{"version":9,"deleted":true},"version":1,"l":[{}]}`:    {version: 1},
		"\n\t {\"s\":\"\\\"version\\\":7\", \"version\" : 1 }\n":          {version: 1},
		`{"new":"property","größe":1e3,"version":1,"x":null,"y":[1,"2"]}`: {version: 1},
	} {
		item, err := core.ParseItem([]byte(json))
		require.NoError(t, err, json)
		require.Equal(t, want.version, item.Version(), json)
		require.Equal(t, want.deleted, item.Deleted(), json)
		require.True(t, bytes.Equal([]byte(json), item.JSON()), "the text is kept as it came")
		if !want.deleted {
			require.Equal(t, core.SerializedItem{Version: want.version, Data: []byte(json)}, item.Serialized(core.Flags, "a"))
		}
	}
}

func TestParseItem_RefusesWhatIsNoItem(t *testing.T) {
	for _, json := range []string{
		``, ` `, `null`, `7`, `"text"`, `[]`, `{`, `{"version":1`, `{"version":1}}`, `{"version":1} {}`, `{"version":"1"}`,
		`{"version":1.5}`, `{"version":1e300}`, `{"version":null}`, `{"deleted":1}`, `{"a":}`, `{a:1}`, "\x00\x01", `{"a":tru}`,
	} {
		item, err := core.ParseItem([]byte(json))
		require.ErrorIs(t, err, core.ErrCorrupt, json)
		require.Nil(t, item, json)
	}
}

func TestItem_Flag_DecodesOnce(t *testing.T) {
	item, err := core.ParseItem([]byte(`{"key":"a","version":2,"on":true,"variations":[true],"fallthrough":{"variation":0}}`))
	require.NoError(t, err)
	var wg sync.WaitGroup
	got := make([]*ldmodel.FeatureFlag, 8)
	for i := range got {
		wg.Go(func() {
			flag, err := item.Flag()
			if err != nil {
				t.Error(err)
			}
			got[i] = flag
		})
	}
	wg.Wait()
	for _, flag := range got {
		require.Same(t, got[0], flag)
	}
	require.Equal(t, "a", got[0].Key)
	require.True(t, got[0].On)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = item.Flag() }))
	_, err = item.Segment()
	require.ErrorIs(t, err, core.ErrInvalid, "a flag is not a segment")
}

func TestItem_Segment_DecodesOnce(t *testing.T) {
	item, err := core.ParseItem([]byte(`{"key":"s","version":2,"included":["x"]}`))
	require.NoError(t, err)
	first, err := item.Segment()
	require.NoError(t, err)
	second, err := item.Segment()
	require.NoError(t, err)
	require.Same(t, first, second)
	require.Equal(t, []string{"x"}, first.Included)
	_, err = item.Flag()
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestItem_Flag_Undecodable(t *testing.T) {
	item, err := core.ParseItem([]byte(`{"key":"a","version":2,"on":"yes"}`))
	require.NoError(t, err, "the JSON is an object with a version")
	for range 2 {
		_, err = item.Flag()
		require.ErrorIs(t, err, core.ErrCorrupt)
	}
	segment, err := core.ParseItem([]byte(`{"key":"s","included":7}`))
	require.NoError(t, err)
	_, err = segment.Segment()
	require.ErrorIs(t, err, core.ErrCorrupt)
}

func TestNewFlag_KeepsTheModel(t *testing.T) {
	flag := ldbuilders.NewFlagBuilder("a").Version(4).On(true).Build()
	item := core.NewFlag(&flag)
	kept, err := item.Flag()
	require.NoError(t, err)
	require.Same(t, &flag, kept)
	parsed, err := core.ParseItem(item.JSON())
	require.NoError(t, err)
	require.Equal(t, 4, parsed.Version())

	flag.Deleted = true
	require.True(t, core.NewFlag(&flag).Deleted())
}

func TestNewSegment_KeepsTheModel(t *testing.T) {
	segment := ldbuilders.NewSegmentBuilder("s").Version(4).Included("x").Build()
	item := core.NewSegment(&segment)
	kept, err := item.Segment()
	require.NoError(t, err)
	require.Same(t, &segment, kept)
	require.Equal(t, 4, item.Version())

	segment.Deleted = true
	require.True(t, core.NewSegment(&segment).Deleted())
}

func TestSerializedItem_Parse_VersionOfTheDatabaseCounts(t *testing.T) {
	item, err := core.SerializedItem{Version: 9, Deleted: true, Data: []byte(`{"version":3}`)}.Parse(core.Flags, "a")
	require.NoError(t, err)
	require.Equal(t, 9, item.Version())
	require.True(t, item.Deleted())
	item, err = core.SerializedItem{Data: []byte(`{"version":3,"deleted":true}`)}.Parse(core.Flags, "a")
	require.NoError(t, err)
	require.Equal(t, 3, item.Version())
	require.True(t, item.Deleted())

	_, err = core.SerializedItem{Version: 9, Data: []byte(`{`)}.Parse(core.Segments, "s")
	var itemErr *core.ItemError
	require.ErrorAs(t, err, &itemErr)
	require.ErrorIs(t, err, core.ErrCorrupt)
	require.Equal(t, core.ItemError{Kind: core.Segments, Key: "s", Size: 1, Err: itemErr.Err}, *itemErr)
}

func TestParseItem_EveryTombstoneIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		version := rapid.IntRange(-1<<53, 1<<53).Draw(t, "version")
		kind := rapid.SampledFrom([]core.DataKind{core.Flags, core.Segments, "other"}).Draw(t, "kind")
		item, err := core.ParseItem(core.NewTombstone(kind, key, version).JSON())
		if err != nil || item.Version() != version || !item.Deleted() {
			t.Fatalf("%+v, %v", item, err)
		}
	})
}

func FuzzParseItem(f *testing.F) {
	f.Add([]byte(`{"key":"a","version":1,"deleted":false}`))
	f.Add([]byte(`{"version":1e2,"x":[{"version":"\u0000"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		item, err := core.ParseItem(data)
		if (item == nil) == (err == nil) {
			t.Fatalf("item %v, error %v", item, err)
		}
		if item != nil {
			_, _ = item.Flag()
		}
	})
}

func ExampleParseItem() {
	item, err := core.ParseItem([]byte(`{"key":"express","version":3,"on":true,"property-of-the-future":1}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	flag, err := item.Flag()
	fmt.Println(item.Version(), item.Deleted(), flag.On, err)
	fmt.Println(string(item.JSON()))
	// Output:
	// 3 false true <nil>
	// {"key":"express","version":3,"on":true,"property-of-the-future":1}
}

// Whatever the JSON, it is what ParseItem and Validate say, each with its own error.
func TestParseEvaluable_AsParseItemAndValidate(t *testing.T) {
	for _, json := range []string{
		`{"key":"f","version":3,"on":true,"rules":[]}`, `{"key":"f","version":3,"deleted":true}`, `{"key":"f","version":1e2,"unknown":[1]}`,
		`{"key":"f","deleted":true,"rules":3}`, `{"key":"f","rules":3}`, `{"key":"s","included":3}`, `{"version":1.5}`, `{"version":"1"}`, `[]`, `{`, ``,
	} {
		for _, kind := range []core.DataKind{core.Flags, core.Segments, "other"} {
			want, wantErr := core.ParseItem([]byte(json))
			if wantErr == nil {
				wantErr = want.Validate(kind)
			}
			item, err := core.ParseEvaluable(kind, []byte(json))
			require.Equal(t, wantErr, err, "%s %s", kind, json)
			require.Equal(t, err == nil, item != nil)
			if item != nil {
				require.Equal(t, want, item)
			}
		}
	}
}

func TestItem_Validate_ReportsWhatCannotBeEvaluated(t *testing.T) {
	parse := func(json string) *core.Item {
		item, err := core.ParseItem([]byte(json))
		require.NoError(t, err)
		return item
	}
	require.NoError(t, parse(`{"key":"f","rules":[]}`).Validate(core.Flags))
	require.NoError(t, parse(`{"key":"s","included":["x"]}`).Validate(core.Segments))
	require.NoError(t, parse(`{"key":"f","deleted":true,"rules":3}`).Validate(core.Flags), "a tombstone")
	require.NoError(t, parse(`{"key":"f","rules":3}`).Validate("other"))
	require.ErrorIs(t, parse(`{"key":"f","rules":3}`).Validate(core.Flags), core.ErrCorrupt)
	require.ErrorIs(t, parse(`{"key":"s","included":3}`).Validate(core.Segments), core.ErrCorrupt)

	decoded := parse(`{"key":"f","rules":[]}`)
	_, err := decoded.Flag()
	require.NoError(t, err)
	require.NoError(t, decoded.Validate(core.Flags))
	require.ErrorIs(t, decoded.Validate(core.Segments), core.ErrInvalid)
}
