package conformance

import (
	"bytes"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

func corruptTests() group[*fixture] {
	return group[*fixture]{"Corrupt", []subtest[*fixture]{
		{"GetReturnsItAsItIs", testCorruptGet},
		{"GetAllHidesNothing", testCorruptGetAll},
		{"UpsertHeals", testCorruptHeals},
		{"DoesNotDisturbOtherKeys", testCorruptOthers},
	}}
}

// undecodable are texts of which [core.ParseItem] makes nothing.
func undecodable() []string {
	return []string{
		`{"key":"a","version":`, `not JSON`, `[]`, `null`, `17`, `"text"`, `{"version":"7"}`, `{"version":1.5}`, `{"version":null}`,
		`{"version":3} trailing`, `{"version":3,"deleted":"yes"}`, "\x00\x01\xff",
	}
}

// writeUndecodable puts one item for each text of undecodable into the database.
func (f *fixture) writeUndecodable(kind core.DataKind) []core.KeyedSerializedItem {
	texts := undecodable()
	items := make([]core.KeyedSerializedItem, len(texts))
	for i, text := range texts {
		item := core.KeyedSerializedItem{Key: fmt.Sprintf("corrupt-%d", i), Item: core.SerializedItem{Data: []byte(text)}}
		f.h.WriteRaw(f.tester, f.prefix, kind, item.Key, item.Item.Data)
		items[i] = item
	}
	return items
}

func testCorruptGet(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		for _, item := range f.writeUndecodable(kind) {
			f.wantData(s, kind, item)
		}
	}
}

// wantData expects the bytes, and nothing of the version, which an item that cannot be decoded has none of.
func (f *fixture) wantData(s *store, kind core.DataKind, want core.KeyedSerializedItem) {
	f.Helper()
	got, found, err := s.Get(f.Context(), kind, want.Key)
	switch {
	case err != nil:
		f.Fatalf("Get of %s %s: %v", kind, brief(want.Item.Data), err)
	case !found:
		f.Fatalf("Get of %s %s: not found", kind, brief(want.Item.Data))
	case !bytes.Equal(got.Data, want.Item.Data):
		f.Fatalf("Get of %s %s: got %s", kind, brief(want.Item.Data), brief(got.Data))
	}
}

func testCorruptGetAll(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Flags, live("a", 1), tombstone("b", 2), live("z", 3)))
	want := append(f.writeUndecodable(core.Flags), live("a", 1), tombstone("b", 2), live("z", 3))
	got, err := s.GetAll(f.Context(), core.Flags)
	if err != nil {
		f.Fatalf("GetAll with corrupt items: %v", err)
	}
	for i := range got {
		if _, err := got[i].Item.Parse(core.Flags, got[i].Key); err != nil {
			got[i].Item = core.SerializedItem{Data: got[i].Item.Data}
		}
	}
	if d := differsInAll(got, want); d != "" {
		f.Fatalf("GetAll with corrupt items: %s", d)
	}
}

func testCorruptHeals(f *fixture) {
	s := f.open()
	for _, version := range []int{1, 0, -7} {
		for _, item := range f.writeUndecodable(core.Flags) {
			healed := live(item.Key, version)
			result, err := s.Upsert(f.Context(), core.Flags, healed.Key, healed.Item)
			if err != nil {
				f.Fatalf("Upsert of version %d over %s: %v", version, brief(item.Item.Data), err)
			}
			if d := differsInResult(result, healed.Item, true); d != "" {
				f.Fatalf("Upsert of version %d over %s: %s", version, brief(item.Item.Data), d)
			}
			f.wantItem(s, core.Flags, healed)
		}
	}
	f.writeUndecodable(core.Flags)
	f.upsert(s, core.Flags, tombstone("corrupt-0", 1))
	f.wantItem(s, core.Flags, tombstone("corrupt-0", 1))
}

func testCorruptOthers(f *fixture) {
	s := f.open()
	f.writeUndecodable(core.Flags)
	f.upsert(s, core.Flags, live("a", 1))
	f.upsert(s, core.Flags, live("a", 2))
	f.wantUpsert(s, core.Flags, live("a", 1), live("a", 2), false)
	f.wantItem(s, core.Flags, live("a", 2))
	f.wantInitialized(s, false)
}
