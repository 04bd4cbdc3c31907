package conformance

import "github.com/cleatdev/cleat/core"

func initializedTests() group[*fixture] {
	return group[*fixture]{"Initialized", []subtest[*fixture]{
		{"FalseUntilInit", testInitializedFalseUntilInit},
		{"LooksAtTheDatabaseEachTime", testInitializedLooksEachTime},
		{"IsPerPrefix", testInitializedPerPrefix},
		{"SurvivesReopening", testInitializedReopen},
		{"FalseAfterWipe", testInitializedWipe},
	}}
}

func testInitializedFalseUntilInit(f *fixture) {
	s := f.open()
	f.wantInitialized(s, false)
	f.wantInitialized(s, false)
	f.h.WriteRaw(f.tester, f.prefix, core.Flags, "a", live("a", 1).Item.Data)
	f.wantInitialized(s, false)
	f.init(s)
	f.wantInitialized(s, true)
	f.wantInitialized(s, true)
}

func testInitializedLooksEachTime(f *fixture) {
	s, other := f.open(), f.open()
	f.wantInitialized(s, false)
	f.init(other)
	f.wantInitialized(s, true)
}

func testInitializedPerPrefix(f *fixture) {
	s, other := f.open(), f.openAt(f.prefix+"2")
	f.init(s)
	f.wantInitialized(other, false)
	f.init(other)
	f.wantInitialized(s, true)
}

func testInitializedReopen(f *fixture) {
	s := f.openUnmanaged(f.prefix)
	f.init(s)
	if err := s.Close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
	f.wantInitialized(f.open(), true)
}

func testInitializedWipe(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Flags, live("a", 1)))
	f.wantInitialized(s, true)
	f.h.Wipe(f.tester)
	f.wantInitialized(s, false)
	f.init(s)
	f.wantInitialized(s, true)
}
