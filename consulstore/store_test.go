package consulstore

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// The keys and values in the database are those that other SDKs and Relay Proxy use.
func TestStore_Layout_IsTheSharedOne(t *testing.T) {
	b := newBare(t, containers.Consul(t))
	for _, test := range []struct {
		options Options
		p       string
	}{
		{Options{}, "launchdarkly/"},
		{Options{Prefix: "golden"}, "golden/"},
		{Options{Prefix: "golden/nested"}, "golden/nested/"},
		{Options{NoPrefix: true}, ""},
	} {
		b.wipe(t)
		store := openStore(t, test.options)
		require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{
			{Kind: core.Segments, Items: []core.KeyedSerializedItem{{Key: "s", Item: storetest.Item("s", 1)}}},
			{Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "f", Item: storetest.Item("f", 2)}}},
		}))
		_, err := store.Upsert(t.Context(), core.Flags, "a/b c", storetest.Item("g", 3))
		require.NoError(t, err)
		require.ElementsMatch(t, b.keysUnder(t, ""), []string{
			test.p + "$inited", test.p + "features/a/b c", test.p + "features/f", test.p + "segments/s",
		})
		for key, want := range map[string]string{
			"$inited": "", "features/f": `{"key":"f","version":2}`, "features/a/b c": `{"key":"g","version":3}`,
			"segments/s": `{"key":"s","version":1}`,
		} {
			data, _ := b.read(t, test.p+key)
			require.Equal(t, want, string(data), key)
		}
	}
	b.wipe(t)
}

func TestBigSegments_Layout_IsTheDocumentedOne(t *testing.T) {
	b, prefix := newBare(t, containers.Consul(t)), storetest.Prefix()
	segments, err := OpenBigSegments(t.Context(), optionsFor(t, prefix))
	require.NoError(t, err)
	patch := core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "v1",
		Included: core.BigSegmentChanges{Add: []string{"p6OgU0/7+wSuHvbqB1V4NBYOQ2nZLbM/ePJhvm9LJ+8="}},
	}
	applied, err := segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.True(t, applied)
	require.NoError(t, segments.SetLastUpToDate(t.Context(), ldtime.UnixMillisecondTime(1_700_000_000_123)))
	for key, want := range map[string]string{
		"/big_segments_synchronized_on":                                   "1700000000123",
		"/big_segments_cursor":                                            "v1",
		"/big_segments_user/p6OgU0_7-wSuHvbqB1V4NBYOQ2nZLbM_ePJhvm9LJ-8=": `{"included":["s.g1"],"excluded":[]}`,
	} {
		data, found := b.read(t, prefix+key)
		require.True(t, found, key)
		require.Equal(t, want, string(data), key)
	}

	patch = core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: "v1", Version: "v2", Included: core.BigSegmentChanges{Remove: patch.Included.Add},
	}
	_, err = segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.Empty(t, b.keysUnder(t, prefix+"/big_segments_user/"), "a context that is in nothing needs no key")
	require.NoError(t, segments.Close())
}

// What is no membership or time is reported, and left as it is.
func TestBigSegments_Corrupt_IsReported(t *testing.T) {
	ctx, b, prefix := t.Context(), newBare(t, containers.Consul(t)), storetest.Prefix()
	segments, err := OpenBigSegments(ctx, optionsFor(t, prefix))
	require.NoError(t, err)
	b.write(t, prefix+"/big_segments_synchronized_on", []byte("yesterday"))
	b.write(t, prefix+"/big_segments_user/h", []byte("not JSON"))
	_, err = segments.Metadata(ctx)
	require.ErrorIs(t, err, core.ErrCorrupt)
	_, err = segments.Membership(ctx, "h")
	require.ErrorIs(t, err, core.ErrCorrupt)
	_, err = segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"other", "h"}},
	})
	require.ErrorIs(t, err, core.ErrCorrupt)
	require.ErrorContains(t, err, prefix+"/big_segments_user/h")
	require.Len(t, b.keysUnder(t, prefix), 2, "nothing was written")
	require.NoError(t, segments.Close())
}

// The common operations are one request each.
func TestStore_Requests_AreFew(t *testing.T) {
	ctx, prefix := t.Context(), storetest.Prefix()
	store, requests := recordedStore(t, &Options{Prefix: prefix})
	kv := func(key string) string { return "GET /v1/kv/" + prefix + "/" + key }
	const txn = "PUT /v1/txn"

	_, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	require.Equal(t, []string{kv("features/k"), txn}, requests.take(), "an item that this process knows nothing about")
	for version := 2; version < 5; version++ {
		_, err = store.Upsert(ctx, core.Flags, "k", storetest.Item("k", version))
		require.NoError(t, err)
		require.Equal(t, []string{txn}, requests.take(), "an item that this process wrote last")
	}
	_, err = store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 4))
	require.NoError(t, err)
	require.Equal(t, []string{kv("features/k")}, requests.take(), "an item that is not newer")

	_, _, err = store.Get(ctx, core.Flags, "k")
	require.NoError(t, err)
	require.Equal(t, []string{kv("features/k")}, requests.take())
	_, err = store.GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Equal(t, []string{kv("features/")}, requests.take())
	_, err = store.Initialized(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{kv("$inited")}, requests.take())

	require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(5, 1, 100)}))
	reading := []string{kv("segments/"), kv("features/"), kv("$inited")}
	require.Equal(t, append(reading, txn), requests.take(), "an Init that fits in a transaction")
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(5, 1, 100)}))
	require.Equal(t, reading, requests.take(), "an Init of what is there")
	_, err = store.Upsert(ctx, core.Flags, "flag-00003", storetest.Item("flag-00003", 2))
	require.NoError(t, err)
	require.Equal(t, []string{txn}, requests.take(), "an item that an Init wrote")
}

// Many items are one request for every 64, whatever their keys are; those that are not there are left out. A server that does not
// know the verb for that is asked in another way.
func TestStore_GetItems_ReadsManyAtOnce(t *testing.T) {
	const unknownVerb = `{"Errors":[{"OpIndex":0,"What":"unknown KV operation: get-or-empty"}]}`
	for name, old := range map[string]bool{"server of today": false, "server before 1.16": true} {
		t.Run(name, func(t *testing.T) {
			ctx, b, prefix := t.Context(), newBare(t, containers.Consul(t)), storetest.Prefix()
			store, requests := recordedStore(t, &Options{Prefix: prefix})
			data := storetest.Flags(150, 1, 60)
			data.Items[7].Item.Data = []byte(`{"key":"flag-00007","version":1,"deleted":true}`)
			data.Items = append(data.Items,
				core.KeyedSerializedItem{Key: "new\nline", Item: storetest.Item("new\nline", 1)}, core.KeyedSerializedItem{Key: "flag-000", Item: storetest.Item("flag-000", 1)})
			require.NoError(t, store.Init(ctx, []core.SerializedCollection{data}))
			b.write(t, prefix+"/features/empty", nil)
			var keys []string
			for _, item := range data.Items {
				keys = append(keys, item.Key)
			}
			refusals := 0
			requests.answer = func(request *http.Request) *http.Response {
				body, err := io.ReadAll(request.Body)
				require.NoError(t, err)
				request.Body = io.NopCloser(bytes.NewReader(body))
				if !old || !bytes.Contains(body, []byte("get-or-empty")) {
					return nil
				}
				refusals++
				return &http.Response{
					StatusCode: http.StatusConflict, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(unknownVerb)),
				}
			}
			requests.take()
			items, err := store.GetItems(ctx, core.Flags, append([]string{"none", "new\nnone"}, keys...))
			require.NoError(t, err)
			require.ElementsMatch(t, withoutVersions(data.Items), items)
			require.Len(t, requests.take(), 3+refusals)

			items, err = store.GetItems(ctx, core.Flags, []string{"none", "empty"})
			require.NoError(t, err)
			require.Equal(t, []core.KeyedSerializedItem{{Key: "empty", Item: core.SerializedItem{Data: []byte{}}}}, items)
			require.Len(t, requests.take(), 1)
			items, err = store.GetItems(ctx, core.Segments, keys[:3])
			require.NoError(t, err)
			require.Empty(t, items)
			require.Len(t, requests.take(), 1)
			items, err = store.GetItems(ctx, core.Flags, nil)
			require.NoError(t, err)
			require.Empty(t, items)
			require.Empty(t, requests.take())
			require.LessOrEqual(t, refusals, 1)
			_, err = store.GetItems(ctx, core.Flags, []string{"k", ""})
			require.ErrorIs(t, err, core.ErrInvalid)
		})
	}
}

// withoutVersions returns items as a store reads them, which does not look into them.
func withoutVersions(items []core.KeyedSerializedItem) []core.KeyedSerializedItem {
	read := slices.Clone(items)
	for i := range read {
		read[i].Item = core.SerializedItem{Data: read[i].Item.Data}
	}
	return read
}

// What Consul's user interface makes when a user creates a folder is neither an item nor removed.
func TestStore_DirectoryMark_IsNoItem(t *testing.T) {
	b, prefix := newBare(t, containers.Consul(t)), storetest.Prefix()
	b.write(t, prefix+"/features/", nil)
	store := openStore(t, Options{Prefix: prefix})
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Empty(t, items)
	require.NoError(t, store.Init(t.Context(), nil))
	_, found := b.read(t, prefix+"/features/")
	require.True(t, found)
}

// Each consistency mode is asked for in the way of Consul, whether a key fits in a URL or not; writes never rely on a server
// that may be behind.
func TestStore_Consistency_IsAskedFor(t *testing.T) {
	for mode, want := range map[Consistency]string{
		ConsistencyDefault: "", ConsistencyConsistent: "consistent", ConsistencyStale: "stale",
	} {
		store, requests := recordedStore(t, &Options{Prefix: storetest.Prefix(), Consistency: mode})
		var asked []string
		requests.answer = func(request *http.Request) *http.Response {
			query := request.URL.Query()
			switch {
			case query.Has("stale"):
				asked = append(asked, "stale")
			case query.Has("consistent"):
				asked = append(asked, "consistent")
			default:
				asked = append(asked, "")
			}
			return nil
		}
		for _, key := range []string{"k", "new\nline"} {
			_, _, err := store.Get(t.Context(), core.Flags, key)
			require.NoError(t, err)
		}
		_, err := store.GetAll(t.Context(), core.Flags)
		require.NoError(t, err)
		_, err = store.Initialized(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{want, want, want, want}, asked)
		asked = nil
		require.NoError(t, store.CheckAvailability(t.Context()))
		require.NoError(t, store.Init(t.Context(), nil))
		require.NotContains(t, asked, "stale")
	}
}
