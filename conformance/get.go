package conformance

import "github.com/cleatdev/cleat/core"

func getTests() group[*fixture] {
	return group[*fixture]{"Get", []subtest[*fixture]{
		{"MissingKeyIsNoError", testGetMissing},
		{"ReturnsWhatWasStored", testGetStored},
		{"ReturnsTombstones", testGetTombstone},
		{"AllOfAnEmptyKindIsEmpty", testGetAllEmpty},
		{"AllReturnsEverythingTombstonesIncluded", testGetAll},
		{"KindsAreSeparate", testGetKindsSeparate},
	}}
}

func testGetMissing(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		f.wantMissing(s, kind, "nothing")
	}
	f.init(s, collection(core.Flags, live("something", 1)))
	for _, kind := range allKinds() {
		f.wantMissing(s, kind, "nothing")
	}
}

func testGetStored(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		f.upsert(s, kind, tagged("a", 1, string(kind)))
		f.wantItem(s, kind, tagged("a", 1, string(kind)))
	}
}

func testGetTombstone(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		f.upsert(s, kind, tombstone("gone", 3))
		f.wantItem(s, kind, tombstone("gone", 3))
	}
}

func testGetAllEmpty(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		f.wantAll(s, kind)
	}
	f.init(s)
	for _, kind := range allKinds() {
		f.wantAll(s, kind)
	}
}

func testGetAll(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Segments, live("s", 1)), collection(core.Flags, live("a", 1), tombstone("b", 2)))
	f.upsert(s, core.Flags, live("c", 3))
	f.upsert(s, core.Flags, tombstone("d", 4))
	f.wantAll(s, core.Flags, live("a", 1), tombstone("b", 2), live("c", 3), tombstone("d", 4))
	f.wantAll(s, core.Segments, live("s", 1))
}

func testGetKindsSeparate(f *fixture) {
	s := f.open()
	for i, kind := range allKinds() {
		f.upsert(s, kind, tagged("same-key", i+1, string(kind)))
	}
	for i, kind := range allKinds() {
		f.wantItem(s, kind, tagged("same-key", i+1, string(kind)))
		f.wantAll(s, kind, tagged("same-key", i+1, string(kind)))
	}
}
