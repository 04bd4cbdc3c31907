package conformance

import (
	"math"

	"github.com/cleatdev/cleat/core"
)

func upsertTests() group[*fixture] {
	return group[*fixture]{"Upsert", []subtest[*fixture]{
		{"NewKeyIsWritten", testUpsertNew},
		{"NewerIsWritten", testUpsertNewer},
		{"EqualIsRefusedAndTheWinnerReturned", testUpsertEqual},
		{"OlderIsRefusedAndTheWinnerReturned", testUpsertOlder},
		{"TombstoneReplacesLiveItem", testUpsertTombstone},
		{"OlderThanTombstoneIsRefused", testUpsertOlderThanTombstone},
		{"NewerThanTombstoneIsWritten", testUpsertRecreation},
		{"OutOfOrderEndsAtTheGreatest", testUpsertOutOfOrder},
		{"NegativeAndExtremeVersions", testUpsertExtremeVersions},
		{"VersionsAreNumbers", testUpsertVersionsAreNumbers},
		{"ComparesWithWhatInitWrote", testUpsertAfterInit},
		{"VersionWrittenByAnotherWriterCounts", testUpsertAfterRaw},
		{"TombstoneOfAnyShapeCounts", testUpsertAfterAnyTombstone},
		{"ChangesNoOtherKey", testUpsertOtherKeys},
		{"DoesNotInitialize", testUpsertDoesNotInitialize},
	}}
}

func testUpsertNew(f *fixture) {
	s := f.open()
	for _, version := range []int{1, 0, -1} {
		for _, kind := range allKinds() {
			item := live("new"+string(rune('a'+version+1)), version)
			f.upsert(s, kind, item)
			f.wantItem(s, kind, item)
		}
	}
}

func testUpsertNewer(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		for version := 1; version <= 3; version++ {
			f.upsert(s, kind, live("a", version))
			f.wantItem(s, kind, live("a", version))
		}
	}
}

func testUpsertEqual(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		f.upsert(s, kind, tagged("a", 5, "first"))
		f.wantUpsert(s, kind, tagged("a", 5, "second"), tagged("a", 5, "first"), false)
		f.wantUpsert(s, kind, tagged("a", 5, "first"), tagged("a", 5, "first"), false)
		f.wantItem(s, kind, tagged("a", 5, "first"))
	}
}

func testUpsertOlder(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		f.upsert(s, kind, live("a", 5))
		f.wantUpsert(s, kind, live("a", 4), live("a", 5), false)
		f.wantUpsert(s, kind, tombstone("a", 4), live("a", 5), false)
		f.wantItem(s, kind, live("a", 5))
	}
}

func testUpsertTombstone(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	f.upsert(s, core.Flags, tombstone("a", 2))
	f.wantItem(s, core.Flags, tombstone("a", 2))
	f.wantAll(s, core.Flags, tombstone("a", 2))
}

func testUpsertOlderThanTombstone(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, tombstone("a", 2))
	f.wantUpsert(s, core.Flags, live("a", 1), tombstone("a", 2), false)
	f.wantUpsert(s, core.Flags, live("a", 2), tombstone("a", 2), false)
	f.wantItem(s, core.Flags, tombstone("a", 2))
}

func testUpsertRecreation(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	f.upsert(s, core.Flags, tombstone("a", 2))
	f.upsert(s, core.Flags, live("a", 3))
	f.wantItem(s, core.Flags, live("a", 3))
	f.wantAll(s, core.Flags, live("a", 3))
}

func testUpsertOutOfOrder(f *fixture) {
	s := f.open()
	highest := math.MinInt
	for _, version := range []int{4, 2, 7, 7, 1, 9, 3, 8} {
		written := version > highest
		highest = max(highest, version)
		f.wantUpsert(s, core.Flags, live("a", version), live("a", highest), written)
	}
	f.wantItem(s, core.Flags, live("a", 9))
}

// maxVersion is the greatest version up to which every one is exact as a JSON number everywhere.
const maxVersion = 1 << 53

func testUpsertExtremeVersions(f *fixture) {
	s := f.open()
	versions := []int{-maxVersion, -maxVersion + 1, -1000, -2, -1, 0, 1, 1 << 31, 1 << 32, maxVersion - 1, maxVersion}
	for i, version := range versions {
		f.upsert(s, core.Flags, live("a", version))
		f.wantItem(s, core.Flags, live("a", version))
		if i > 0 {
			f.wantUpsert(s, core.Flags, live("a", versions[i-1]), live("a", version), false)
		}
	}
}

func testUpsertVersionsAreNumbers(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 9))
	f.upsert(s, core.Flags, live("a", 10))
	f.wantUpsert(s, core.Flags, live("a", 9), live("a", 10), false)
	f.upsert(s, core.Flags, live("a", 100))
	f.wantItem(s, core.Flags, live("a", 100))
}

func testUpsertAfterInit(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Flags, live("a", 5), tombstone("b", 5)), collection(otherKind, live("c", 5)))
	f.wantUpsert(s, core.Flags, live("a", 5), live("a", 5), false)
	f.wantUpsert(s, core.Flags, live("b", 4), tombstone("b", 5), false)
	f.wantUpsert(s, otherKind, live("c", 4), live("c", 5), false)
	f.upsert(s, core.Flags, live("a", 6))
	f.upsert(s, core.Flags, live("b", 6))
	f.upsert(s, otherKind, live("c", 6))
}

func testUpsertAfterRaw(f *fixture) {
	s := f.open()
	raw := core.KeyedSerializedItem{Key: "a", Item: core.SerializedItem{
		Version: 5, Data: []byte("{ \"salt\" : \"\\u00e9\",\n\t\"version\" : 5, \"key\": \"a\" }"),
	}}
	f.h.WriteRaw(f.tester, f.prefix, core.Flags, raw.Key, raw.Item.Data)
	f.wantItem(s, core.Flags, raw)
	f.wantUpsert(s, core.Flags, live("a", 4), raw, false)
	f.wantUpsert(s, core.Flags, live("a", 5), raw, false)
	f.upsert(s, core.Flags, live("a", 6))
}

func testUpsertOtherKeys(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Segments, live("a", 1)), collection(core.Flags, live("a", 1), live("b", 1)))
	f.upsert(s, core.Flags, live("a", 2))
	f.upsert(s, core.Flags, tombstone("c", 2))
	f.wantAll(s, core.Flags, live("a", 2), live("b", 1), tombstone("c", 2))
	f.wantAll(s, core.Segments, live("a", 1))
}

func testUpsertDoesNotInitialize(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	f.wantInitialized(s, false)
	f.init(s)
	f.upsert(s, core.Flags, live("a", 1))
	f.wantInitialized(s, true)
}
