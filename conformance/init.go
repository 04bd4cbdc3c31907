package conformance

import (
	"errors"

	"github.com/cleatdev/cleat/conformance/internal/bigsegmentsuite"
	"github.com/cleatdev/cleat/core"
)

func initTests(h Harness) group[*fixture] {
	g := group[*fixture]{"Init", []subtest[*fixture]{
		{"StoresEverythingGiven", testInitStores},
		{"ReplacesItemsNotGiven", testInitReplaces},
		{"EmptiesBuiltInKindsNotGiven", testInitEmptiesBuiltIn},
		{"ReplacesOtherKindsGiven", testInitReplacesOtherKind},
		{"KeepsOtherKindsNotGiven", testInitKeepsOtherKind},
		{"IgnoresVersions", testInitIgnoresVersions},
		{"SameKindInSeveralCollections", testInitSeveralCollections},
		{"AnyOrderOfKinds", testInitAnyOrder},
		{"EmptyMarksInitialized", testInitEmpty},
		{"RepeatedChangesNothing", testInitRepeated},
		{"RemovesCorruptItems", testInitRemovesCorrupt},
		{"RefusedDataChangesNothing", testInitRefused},
	}}
	if h.OpenBigSegments != nil {
		g.Tests = append(g.Tests, subtest[*fixture]{"KeepsBigSegments", testInitKeepsBigSegments})
	}
	return g
}

func testInitStores(f *fixture) {
	s := f.open()
	f.wantInitialized(s, false)
	f.init(s,
		collection(core.Segments, live("s", 1), tombstone("t", 2)),
		collection(core.Flags, live("a", 3), live("b", -4)),
		collection(otherKind, live("x", 5)))
	f.wantInitialized(s, true)
	f.wantAll(s, core.Segments, live("s", 1), tombstone("t", 2))
	f.wantAll(s, core.Flags, live("a", 3), live("b", -4))
	f.wantAll(s, otherKind, live("x", 5))
	f.wantItem(s, core.Segments, tombstone("t", 2))
	f.wantItem(s, core.Flags, live("b", -4))
}

func testInitReplaces(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Segments, live("s", 1), live("t", 1)), collection(core.Flags, live("a", 1), live("b", 1)))
	f.upsert(s, core.Flags, tombstone("c", 1))
	f.init(s, collection(core.Segments, live("t", 2)), collection(core.Flags, live("b", 2), live("d", 2)))
	f.wantAll(s, core.Segments, live("t", 2))
	f.wantAll(s, core.Flags, live("b", 2), live("d", 2))
	for _, key := range []string{"a", "c"} {
		f.wantMissing(s, core.Flags, key)
	}
}

func testInitEmptiesBuiltIn(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Segments, live("s", 1)), collection(core.Flags, live("a", 1)))
	f.init(s, collection(core.Flags, live("b", 1)))
	f.wantAll(s, core.Segments)
	f.wantAll(s, core.Flags, live("b", 1))
	f.init(s, collection(core.Segments, live("s", 1)))
	f.wantAll(s, core.Segments, live("s", 1))
	f.wantAll(s, core.Flags)
	f.wantMissing(s, core.Flags, "b")
}

func testInitReplacesOtherKind(f *fixture) {
	s := f.open()
	f.init(s, collection(otherKind, live("x", 1), live("y", 1)))
	f.init(s, collection(otherKind, live("y", 2)))
	f.wantAll(s, otherKind, live("y", 2))
	f.init(s, collection(otherKind))
	f.wantAll(s, otherKind)
}

func testInitKeepsOtherKind(f *fixture) {
	s := f.open()
	f.init(s, collection(otherKind, live("x", 1)))
	f.upsert(s, spareKind, tombstone("y", 1))
	f.init(s, collection(core.Flags, live("a", 1)))
	f.wantAll(s, otherKind, live("x", 1))
	f.wantAll(s, spareKind, tombstone("y", 1))
}

func testInitIgnoresVersions(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Flags, live("a", 9), tombstone("b", 9), tagged("c", 9, "first")))
	newer := []core.KeyedSerializedItem{live("a", 1), live("b", 1), tagged("c", 9, "second")}
	f.init(s, collection(core.Flags, newer...))
	f.wantAll(s, core.Flags, newer...)
}

func testInitSeveralCollections(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Flags, live("old", 1)))
	f.init(s,
		collection(core.Flags, live("a", 1)),
		collection(core.Segments, live("s", 1)),
		collection(core.Flags, live("b", 1), live("c", 1)),
		collection(core.Flags),
		collection(core.Segments, live("t", 1)))
	f.wantAll(s, core.Flags, live("a", 1), live("b", 1), live("c", 1))
	f.wantAll(s, core.Segments, live("s", 1), live("t", 1))
}

func testInitAnyOrder(f *fixture) {
	s := f.open()
	f.init(s, collection(otherKind, live("x", 1)), collection(core.Flags, live("a", 1)), collection(core.Segments, live("s", 1)))
	f.wantAll(s, otherKind, live("x", 1))
	f.wantAll(s, core.Flags, live("a", 1))
	f.wantAll(s, core.Segments, live("s", 1))
}

func testInitEmpty(f *fixture) {
	s := f.open()
	f.init(s)
	f.wantInitialized(s, true)

	other := f.openAt(f.prefix + "-collections")
	f.init(other, collection(core.Segments), collection(core.Flags))
	f.wantInitialized(other, true)
}

func testInitRepeated(f *fixture) {
	s := f.open()
	for range 3 {
		f.init(s, collection(core.Flags, live("a", 1), tombstone("b", 2)))
		f.wantAll(s, core.Flags, live("a", 1), tombstone("b", 2))
		f.wantInitialized(s, true)
	}
}

func testInitRemovesCorrupt(f *fixture) {
	s := f.open()
	f.h.WriteRaw(f.tester, f.prefix, core.Flags, "kept", []byte(`{"version":`))
	f.h.WriteRaw(f.tester, f.prefix, core.Flags, "gone", []byte(`not JSON`))
	f.init(s, collection(core.Flags, live("kept", -1)))
	f.wantAll(s, core.Flags, live("kept", -1))
}

// testInitRefused holds the store to refusing data before anything is touched, the initialised mark included.
func testInitRefused(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	for name, data := range map[string][]core.SerializedCollection{
		"an empty key":                       {collection(core.Flags, live("b", 1), live("", 1))},
		"a key twice in one collection":      {collection(core.Flags, live("b", 1), live("b", 2))},
		"a key twice in several collections": {collection(core.Flags, live("b", 1)), collection(core.Flags, live("b", 2))},
		"an empty kind":                      {collection(core.Flags, live("b", 1)), collection("", live("c", 1))},
		"a reserved kind":                    {collection(core.Flags, live("b", 1)), collection("big_segments_x", live("c", 1))},
		"a kind with a forbidden character":  {collection(core.Flags, live("b", 1)), collection("a:b", live("c", 1))},
	} {
		if err := s.Init(f.Context(), data); !errors.Is(err, core.ErrInvalid) {
			f.Fatalf("Init with %s: the error is %v, want ErrInvalid", name, err)
		}
		f.wantAll(s, core.Flags, live("a", 1))
		f.wantInitialized(s, false)
	}
	f.init(s, collection(core.Flags, live("a", 1)))
	if err := s.Init(f.Context(), []core.SerializedCollection{collection(core.Flags, live("", 1))}); err == nil {
		f.Fatalf("Init with an empty key: no error")
	}
	f.wantAll(s, core.Flags, live("a", 1))
	f.wantInitialized(s, true)
}

func testInitKeepsBigSegments(f *fixture) {
	bigsegmentsuite.RequireUntouched(f.tester, bigsegmentsuite.Harness{Open: f.h.OpenBigSegments, Timeout: f.h.Timeout}, f.prefix, func() {
		s := f.open()
		f.init(s, collection(core.Flags, live("a", 1)))
		f.init(s)
	})
}
