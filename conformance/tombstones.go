package conformance

import (
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/layout"
)

// tombstones returns a tombstone in every shape, each under a key of its own.
func tombstones(version int) []core.KeyedSerializedItem {
	items := make([]core.KeyedSerializedItem, len(layout.Tombstones("", version)))
	for i := range items {
		key := fmt.Sprintf("deleted-%d", i)
		items[i] = core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{
			Version: version, Deleted: true, Data: layout.Tombstones(key, version)[i],
		}}
	}
	return items
}

// testUpsertAfterAnyTombstone has another writer put tombstones of every shape there.
func testUpsertAfterAnyTombstone(f *fixture) {
	s := f.open()
	for _, kind := range core.BuiltInKinds() {
		for _, item := range tombstones(5) {
			f.h.WriteRaw(f.tester, f.prefix, kind, item.Key, item.Item.Data)
			f.wantItem(s, kind, item)
			f.wantUpsert(s, kind, live(item.Key, 5), item, false)
			f.upsert(s, kind, live(item.Key, 6))
		}
	}
}

// testWrappedAnyTombstone has another writer put tombstones of every shape there.
func testWrappedAnyTombstone(f *wrappedFixture) {
	for _, kind := range core.BuiltInKinds() {
		for _, item := range tombstones(5) {
			f.h.WriteRaw(f.tester, f.prefix, kind, item.Key, item.Item.Data)
		}
	}
	w := f.openWrapped()
	for _, kind := range core.BuiltInKinds() {
		f.wantMap(w, kind)
		for _, item := range tombstones(5) {
			f.wantHidden(w, kind, item.Key)
			f.wantUpdated(w, kind, live(item.Key, 5), false)
			f.wantUpdated(w, kind, live(item.Key, 6), true)
			f.wantLive(w, kind, live(item.Key, 6))
		}
	}
}

// testWrappedWholeTombstones hands the wrapper tombstones of every shape.
func testWrappedWholeTombstones(f *wrappedFixture) {
	w := f.openWrapped()
	f.initWrapped(w, f.parsedCollection(core.Segments, tombstones(5)...), f.parsedCollection(core.Flags, tombstones(5)...))
	f.wantWholeTombstones(5)
	for _, kind := range core.BuiltInKinds() {
		for _, item := range tombstones(6) {
			f.wantUpdated(w, kind, item, true)
		}
	}
	f.wantWholeTombstones(6)
}

// wantWholeTombstones expects the database to have all of tombstones, with every property.
func (f *wrappedFixture) wantWholeTombstones(version int) {
	f.Helper()
	for _, kind := range core.BuiltInKinds() {
		for _, want := range tombstones(version) {
			data, found := f.h.ReadRaw(f.tester, f.prefix, kind, want.Key)
			if !found {
				f.Fatalf("the database does not have the tombstone %s of %s", want.Key, kind)
			}
			item, err := core.ParseItem(data)
			if err != nil || !item.Deleted() || item.Version() != version {
				f.Fatalf("the database has %s for %s, error %v; want a tombstone of version %d", brief(data), want.Key, err, version)
			}
			if problem := layout.Incomplete(kind, data); problem != "" {
				f.Fatalf("the tombstone %s of %s is %s: %s", want.Key, kind, brief(data), problem)
			}
		}
	}
}

// asWritten returns items of a kind as a wrapper writes them: tombstones whole, and everything else as it is.
func asWritten(kind core.DataKind, items []core.KeyedSerializedItem) []core.KeyedSerializedItem {
	written := make([]core.KeyedSerializedItem, len(items))
	for i, item := range items {
		if item.Item.Deleted {
			item.Item = core.NewTombstone(kind, item.Key, item.Item.Version).Serialized(kind, item.Key)
		}
		written[i] = item
	}
	return written
}
