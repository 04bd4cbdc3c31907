package core_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func TestDataKind_Validate(t *testing.T) {
	for _, kind := range append(core.BuiltInKinds(), "configOverrides", "a-b_c.9", core.DataKind(strings.Repeat("x", 64))) {
		require.NoError(t, kind.Validate(), string(kind))
	}
	for _, kind := range []core.DataKind{
		"", "$inited", "a:b", "a/b", "a b", "ä", "a\n", "big_segments_cursor", core.DataKind(strings.Repeat("x", 65)),
	} {
		require.ErrorIs(t, kind.Validate(), core.ErrInvalid, string(kind))
	}
}

func TestValidateKey(t *testing.T) {
	require.NoError(t, core.ValidateKey(core.Flags, "any / key: * ü\n"))
	require.ErrorIs(t, core.ValidateKey(core.Flags, ""), core.ErrInvalid)
	require.ErrorIs(t, core.ValidateKey("", "a"), core.ErrInvalid)
}

func TestValidateInit(t *testing.T) {
	items := func(keys ...string) (items []core.KeyedSerializedItem) {
		for _, key := range keys {
			items = append(items, core.KeyedSerializedItem{Key: key})
		}
		return items
	}
	require.NoError(t, core.ValidateInit(nil))
	require.NoError(t, core.ValidateInit([]core.SerializedCollection{
		{Kind: core.Segments, Items: items("a")}, {Kind: core.Flags, Items: items("a", "b")}, {Kind: core.Flags, Items: items("c")},
	}))
	for want, data := range map[string][]core.SerializedCollection{
		`key "a" of kind "features" occurs twice`:     {{Kind: core.Flags, Items: items("a")}, {Kind: core.Flags, Items: items("a")}},
		`an item of kind "segments" has an empty key`: {{Kind: core.Segments, Items: items("")}},
		`data kind "a:b" may have only letters`:       {{Kind: "a:b"}},
	} {
		err := core.ValidateInit(data)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}

func TestItemError_SaysWhichItem(t *testing.T) {
	err := error(&core.ItemError{Kind: core.Flags, Key: strings.Repeat("k", 10_000), Size: 7, Err: core.ErrTooLarge})
	require.ErrorIs(t, err, core.ErrTooLarge)
	require.Less(t, len(err.Error()), 250)
	require.ErrorContains(t, err, `of kind "features" (7 bytes): cleat: item too large`)
	require.NotContains(t, (&core.ItemError{Key: "a", Err: core.ErrCorrupt}).Error(), "bytes")
}

func TestPartialInitError_KeepsTheCause(t *testing.T) {
	cause := errors.New("cable cut")
	err := fmt.Errorf("store: %w", &core.PartialInitError{Written: 3, Total: 9, Err: cause})
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, err, "init stopped after 3 of 9 items: cable cut")
}

func TestBigSegmentMembership_All_YieldsEveryReferenceOnce(t *testing.T) {
	m := core.NewBigSegmentMembership([]string{"both", "in"}, []string{"both", "out"})
	require.Equal(t, map[string]bool{"both": true, "in": true, "out": false}, maps.Collect(m.All()))
	require.Empty(t, maps.Collect(core.BigSegmentMembership{}.All()))
	for range m.All() {
		break // an early end is the caller's right
	}
}

// The estimate is what 1,000 references of 33 bytes were measured to take, within a tenth.
func TestBigSegmentMembership_Bytes_GrowWithTheReferences(t *testing.T) {
	require.Zero(t, core.BigSegmentMembership{}.Bytes())
	refs := make([]string, 1000)
	for i := range refs {
		refs[i] = fmt.Sprintf("%030d.g1", i)
	}
	require.InDelta(t, 100_000, core.NewBigSegmentMembership(refs, nil).Bytes(), 10_000)
}

func TestBigSegmentMembership_IncludeBeatsExclude(t *testing.T) {
	m := core.NewBigSegmentMembership([]string{"both", "in"}, []string{"both", "out"})
	require.Equal(t, ldvalue.NewOptionalBool(true), m.CheckMembership("both"))
	require.Equal(t, ldvalue.NewOptionalBool(true), m.CheckMembership("in"))
	require.Equal(t, ldvalue.NewOptionalBool(false), m.CheckMembership("out"))
	require.Equal(t, ldvalue.OptionalBool{}, m.CheckMembership("other"))
	require.Equal(t, 3, m.Len())
	require.True(t, core.NewBigSegmentMembership(nil, nil).Equal(core.BigSegmentMembership{}))
	require.False(t, m.Equal(core.BigSegmentMembership{}))
}

// The expected value is `printf %s userkey | openssl dgst -sha256 -binary | base64`.
func TestBigSegmentContextHash(t *testing.T) {
	require.Equal(t, "72cBpXPyn4N6TqqlS8Tti37jEcoNhFzL9ZdG1jXkILE=", core.BigSegmentContextHash("userkey"))
}

func TestDataStoreMode_String(t *testing.T) {
	require.Equal(t, "read-write", core.DataStoreMode(0).String())
	require.Equal(t, "read-only", core.DataStoreModeReadOnly.String())
}

func TestDataSourceErrorInfo_String(t *testing.T) {
	require.Empty(t, core.DataSourceErrorInfo{}.String())
	require.Equal(t, "invalid_data: line 3", core.DataSourceErrorInfo{Kind: core.DataSourceErrorInvalidData, Message: "line 3"}.String())
	require.Equal(t, "error_response(401): key rejected",
		core.DataSourceErrorInfo{Kind: core.DataSourceErrorResponse, HTTPStatus: 401, Message: "key rejected"}.String())
}

func TestItemErrors_TellsWhatElseFailed(t *testing.T) {
	item := &core.ItemError{Kind: core.Flags, Key: "a", Err: core.ErrTooLarge}
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{item, true},
		{fmt.Errorf("store: %w", item), true},
		{errors.Join(item, fmt.Errorf("store: %w", item)), true},
		{errors.Join(item, core.ErrUnavailable), false},
		{&core.PartialInitError{Err: item}, false},
		{core.ErrTooLarge, false},
		{nil, false},
		{fmt.Errorf("store: %w", core.ErrUnavailable), false},
	} {
		items, only := core.ItemErrors(tc.err)
		require.Equal(t, tc.want, only, "%v", tc.err)
		if only {
			require.Same(t, item, items[0])
		}
	}
}
