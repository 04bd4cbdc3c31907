package conformance

import (
	"strings"

	"github.com/cleatdev/cleat/core"
)

func prefixTests() group[*fixture] {
	return group[*fixture]{"Prefixes", []subtest[*fixture]{
		{"SameBeginning", testPrefixesSameBeginning},
		{"Nested", testPrefixesNested},
		{"Wildcards", testPrefixesWildcards},
		{"Case", testPrefixesCase},
		{"AwkwardCharacters", testPrefixesAwkward},
		{"Empty", testPrefixesEmpty},
	}}
}

func testPrefixesSameBeginning(f *fixture) {
	for _, suffix := range []string{"2", "-2", "_2", ".2", " ", "a"} {
		f.wantIsolated(f.prefix, f.prefix+suffix)
	}
}

func testPrefixesNested(f *fixture) {
	for _, suffix := range []string{"/b", ":b", "/", ":", "//", "::", ".b", "$inited", ":$inited"} {
		f.wantIsolated(f.prefix, f.prefix+suffix)
	}
}

// testPrefixesWildcards uses prefixes that, read as a pattern, match their neighbour.
func testPrefixesWildcards(f *fixture) {
	for _, wildcard := range []string{"*", "?", "[a-z]", "%", "_"} {
		f.wantIsolated(f.prefix+wildcard+"x", f.prefix+"bx")
	}
}

func testPrefixesCase(f *fixture) { f.wantIsolated(f.prefix+"app", f.prefix+"APP") }

func testPrefixesAwkward(f *fixture) {
	for _, suffix := range []string{" x", "'x", `"x`, `\x`, "é", "🏴", "#", "{x}", "+", "&", "=", ";"} {
		f.wantIsolated(f.prefix+suffix, f.prefix)
	}
}

func testPrefixesEmpty(f *fixture) {
	f.h.Wipe(f.tester)
	f.Cleanup(func() { f.h.Wipe(f.tester) })
	f.wantIsolated("", f.prefix)
	f.wantIsolated("", strings.ToLower(f.prefix[:1]))
}

// wantIsolated expects that nothing that is done under one of two prefixes is seen under the other. It leaves both
// empty.
func (f *fixture) wantIsolated(a, b string) {
	f.Helper()
	storeA, storeB := f.openAt(a), f.openAt(b)
	before := tagged("kept", 1, "before")
	for _, pair := range [][2]*store{{storeA, storeB}, {storeB, storeA}} {
		touched, neighbour := pair[0], pair[1]
		f.init(neighbour, collection(core.Segments, before), collection(core.Flags, before), collection(otherKind, before))
		f.upsert(touched, core.Flags, live("kept", 5))
		f.upsert(touched, core.Segments, tombstone("new", 5))
		f.init(touched, collection(core.Flags, live("kept", 6), live("new", 6)), collection(otherKind))
		f.init(touched)
		for _, kind := range allKinds() {
			f.wantAll(neighbour, kind, before)
			f.wantItem(neighbour, kind, before)
			f.wantAll(touched, kind)
			f.wantMissing(touched, kind, "kept")
		}
		f.init(neighbour, collection(otherKind))
	}
	if storeC := f.openAt(a + "-never-initialised"); a != "" {
		f.wantInitialized(storeC, false)
	}
}
