package conformance

import "github.com/cleatdev/cleat/core"

func sharingTests() group[*fixture] {
	return group[*fixture]{"Sharing", []subtest[*fixture]{
		{"UpsertIsSeenByOthers", testSharingUpsert},
		{"InitIsSeenByOthers", testSharingInit},
		{"VersionsCountAcrossStores", testSharingVersions},
		{"NothingIsCached", testSharingNotCached},
		{"DataOutlivesTheStore", testSharingReopen},
		{"WipedDatabaseWorksAgain", testSharingWipe},
	}}
}

func testSharingUpsert(f *fixture) {
	a, b := f.open(), f.open()
	f.wantMissing(b, core.Flags, "a")
	f.upsert(a, core.Flags, live("a", 1))
	f.wantItem(b, core.Flags, live("a", 1))
	f.wantAll(b, core.Flags, live("a", 1))
	f.upsert(b, core.Flags, tombstone("a", 2))
	f.wantItem(a, core.Flags, tombstone("a", 2))
	f.wantAll(a, core.Flags, tombstone("a", 2))
}

func testSharingInit(f *fixture) {
	a, b := f.open(), f.open()
	f.init(a, collection(core.Flags, live("a", 1)))
	f.wantItem(a, core.Flags, live("a", 1))
	f.wantItem(b, core.Flags, live("a", 1))
	f.wantAll(b, core.Flags, live("a", 1))
	f.init(b, collection(core.Flags, live("b", 1)))
	f.wantAll(a, core.Flags, live("b", 1))
	f.wantMissing(a, core.Flags, "a")
}

func testSharingVersions(f *fixture) {
	a, b := f.open(), f.open()
	f.upsert(a, core.Flags, tagged("a", 5, "from a"))
	f.wantUpsert(b, core.Flags, tagged("a", 4, "from b"), tagged("a", 5, "from a"), false)
	f.wantUpsert(b, core.Flags, tagged("a", 5, "from b"), tagged("a", 5, "from a"), false)
	f.upsert(b, core.Flags, tagged("a", 6, "from b"))
	f.wantUpsert(a, core.Flags, tagged("a", 6, "from a"), tagged("a", 6, "from b"), false)
	f.wantItem(a, core.Flags, tagged("a", 6, "from b"))
}

func testSharingNotCached(f *fixture) {
	s := f.open()
	for version := 1; version <= 3; version++ {
		item := live("a", version)
		f.h.WriteRaw(f.tester, f.prefix, core.Flags, item.Key, item.Item.Data)
		f.wantItem(s, core.Flags, item)
		f.wantAll(s, core.Flags, item)
	}
}

func testSharingReopen(f *fixture) {
	s := f.openUnmanaged(f.prefix)
	f.init(s, collection(core.Flags, live("a", 1), tombstone("b", 1)), collection(otherKind, live("x", 1)))
	f.upsert(s, core.Flags, live("a", 2))
	if err := s.Close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
	reopened := f.open()
	f.wantAll(reopened, core.Flags, live("a", 2), tombstone("b", 1))
	f.wantAll(reopened, otherKind, live("x", 1))
	f.wantUpsert(reopened, core.Flags, live("a", 1), live("a", 2), false)
}

func testSharingWipe(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Flags, live("a", 5)))
	f.upsert(s, core.Flags, live("a", 6))
	f.h.Wipe(f.tester)
	f.wantMissing(s, core.Flags, "a")
	f.wantAll(s, core.Flags)
	f.upsert(s, core.Flags, live("a", 1))
	f.wantAll(s, core.Flags, live("a", 1))
	f.init(s, collection(core.Flags, live("b", 1)))
	f.wantAll(s, core.Flags, live("b", 1))
}
