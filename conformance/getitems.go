package conformance

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func getItemsTests() group[*fixture] {
	return group[*fixture]{"GetItems", []subtest[*fixture]{
		{"ReturnsWhatIsThere", testGetItems},
		{"NoKeysAreNoItems", testGetItemsNone},
		{"ManyKeys", testGetItemsMany},
		{"AnyCharacterRoundTrips", testGetItemsAnyCharacter},
		{"DamagedItemsAreReturnedAsTheyAre", testGetItemsDamaged},
	}}
}

func (s *store) getItems(ctx context.Context, kind core.DataKind, keys []string) (items []core.KeyedSerializedItem, err error) {
	getter, able := s.core.(core.ItemsGetter)
	if !able {
		return nil, fmt.Errorf("%w: the store is no core.ItemsGetter", core.ErrInvalid)
	}
	err = s.Do("GetItems", func() error {
		items, err = getter.GetItems(ctx, kind, keys)
		return err
	})
	return items, err
}

func (f *fixture) wantItems(s *store, kind core.DataKind, keys []string, want ...core.KeyedSerializedItem) {
	f.Helper()
	got, err := s.getItems(f.Context(), kind, keys)
	if err != nil {
		f.Fatalf("GetItems of %s: %v", kind, err)
	}
	if d := differsInAll(got, want); d != "" {
		f.Fatalf("GetItems of %s: %s", kind, d)
	}
}

func testGetItems(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		f.wantItems(s, kind, []string{"a", "b"})
		f.upsert(s, kind, tagged("a", 1, string(kind)))
		f.upsert(s, kind, tombstone("gone", 3))
		f.upsert(s, kind, live("other", 1))
	}
	for _, kind := range allKinds() {
		f.wantItems(s, kind, []string{"missing", "gone", "a"}, tagged("a", 1, string(kind)), tombstone("gone", 3))
	}
}

func testGetItemsNone(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	f.wantItems(s, core.Flags, nil)
	f.wantItems(s, core.Flags, []string{})
}

// testGetItemsMany asks for more than a database takes in one request, of which every other one is there.
func testGetItemsMany(f *fixture) {
	s := f.open()
	items := numbered("flag", 300, 1)
	f.init(s, collection(core.Flags, items...))
	keys := make([]string, 0, 2*len(items))
	for _, item := range items {
		keys = append(keys, item.Key, item.Key+"-missing")
	}
	f.wantItems(s, core.Flags, keys, items...)
}

func testGetItemsAnyCharacter(f *fixture) {
	s := f.open()
	keys := suite.AwkwardKeys()
	items := itemsOf(keys, 1)
	f.init(s, collection(core.Flags, items...))
	f.wantItems(s, core.Flags, keys, items...)
}

func testGetItemsDamaged(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	f.h.WriteRaw(f.tester, f.prefix, core.Flags, "damaged", []byte(`{"key":"damaged","version":`))
	got, err := s.getItems(f.Context(), core.Flags, []string{"damaged", "a"})
	if err != nil {
		f.Fatalf("GetItems of a damaged item and another one: %v", err)
	}
	found := map[string]string{}
	for _, item := range got {
		found[item.Key] = string(item.Item.Data)
	}
	if len(got) != 2 || found["damaged"] != `{"key":"damaged","version":` || found["a"] != string(live("a", 1).Item.Data) {
		f.Fatalf("GetItems of a damaged item and another one: %v", found)
	}
}
