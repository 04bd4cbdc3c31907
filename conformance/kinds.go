package conformance

import (
	"errors"
	"strings"

	"github.com/cleatdev/cleat/core"
)

func kindTests() group[*fixture] {
	return group[*fixture]{"Kinds", []subtest[*fixture]{
		{"AnyValidNameIsAKind", testKindsOpenSet},
		{"SimilarNamesAreDifferent", testKindsSimilar},
		{"InvalidNamesAreRefused", testKindsInvalid},
	}}
}

const longestKind = 64

func validKinds() []core.DataKind {
	return []core.DataKind{
		"x", "0", "_", "-", ".", "..", "metrics", "configOverrides", "a.b-c_D.9", "inited", "Features", "features2", "feature",
		core.DataKind(strings.Repeat("k", longestKind)), core.DataKind(strings.Repeat("k", longestKind-1)),
	}
}

func testKindsOpenSet(f *fixture) {
	s := f.open()
	for i, kind := range validKinds() {
		f.wantAll(s, kind)
		f.upsert(s, kind, live("a", i+1))
		f.wantUpsert(s, kind, live("a", i), live("a", i+1), false)
	}
	for i, kind := range validKinds() {
		f.wantAll(s, kind, live("a", i+1))
	}
	f.init(s, collection("metrics", live("b", 1)))
	f.wantAll(s, "metrics", live("b", 1))
	f.wantAll(s, "configOverrides", live("a", 8))
	f.wantInitialized(s, true)
}

func testKindsSimilar(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Flags, live("a", 1)))
	for _, kind := range []core.DataKind{"Features", "FEATURES", "feature", "features2", "features.a", "features-a", "features_a"} {
		f.wantAll(s, kind)
		f.upsert(s, kind, tagged("a", 9, string(kind)))
	}
	f.wantAll(s, core.Flags, live("a", 1))
	f.init(s)
	f.wantAll(s, "Features", tagged("a", 9, "Features"))
	f.wantAll(s, "features2", tagged("a", 9, "features2"))
}

func testKindsInvalid(f *fixture) {
	s := f.open()
	for _, kind := range []core.DataKind{
		"", "a:b", "a/b", "a b", "*", "é", "a\n", "$inited", "big_segments", "big_segments_user",
		core.DataKind(strings.Repeat("k", longestKind+1)),
	} {
		_, _, getErr := s.Get(f.Context(), kind, "a")
		_, allErr := s.GetAll(f.Context(), kind)
		_, upsertErr := s.Upsert(f.Context(), kind, "a", live("a", 1).Item)
		for name, err := range map[string]error{"Get": getErr, "GetAll": allErr, "Upsert": upsertErr} {
			if !errors.Is(err, core.ErrInvalid) {
				f.Fatalf("%s with the kind %q: the error is %v, want ErrInvalid", name, string(kind), err)
			}
		}
	}
}
