package conformance

import (
	"bytes"
	"errors"
	"strings"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func keyTests(c Capabilities) group[*fixture] {
	g := group[*fixture]{"Keys", []subtest[*fixture]{
		{"AnyCharacterRoundTrips", testKeysAnyCharacter},
		{"SimilarKeysAreDifferent", testKeysSimilar},
		{"NamesOfTheLayoutAreOrdinaryKeys", testKeysOfTheLayout},
		{"LongKeyRoundTrips", testKeysLong},
		{"EmptyKeyIsRefused", testKeysEmpty},
	}}
	if c.MaxKeySize > 0 {
		g.Tests = append(g.Tests,
			subtest[*fixture]{"TooLongKeyIsRefusedByUpsert", testKeysTooLongUpsert},
			subtest[*fixture]{"TooLongKeyStopsNothingElseInInit", testKeysTooLongInit})
	}
	return g
}

func itemsOf(keys []string, version int) []core.KeyedSerializedItem {
	items := make([]core.KeyedSerializedItem, len(keys))
	for i, key := range keys {
		items[i] = live(key, version)
	}
	return items
}

func testKeysAnyCharacter(f *fixture) {
	s := f.open()
	items := itemsOf(suite.AwkwardKeys(), 1)
	for _, item := range items {
		f.wantMissing(s, core.Flags, item.Key)
		f.upsert(s, core.Flags, item)
	}
	f.wantAll(s, core.Flags, items...)
	for _, item := range items {
		f.wantItem(s, core.Flags, item)
		data, found := f.h.ReadRaw(f.tester, f.prefix, core.Flags, item.Key)
		if !found || !bytes.Equal(data, item.Item.Data) {
			f.Fatalf("ReadRaw of %s: found %t, %s", briefKey(item.Key), found, brief(data))
		}
	}

	items = itemsOf(suite.AwkwardKeys(), -1)
	f.init(s, collection(core.Segments, items...), collection(core.Flags, items[:1]...), collection(otherKind, items...))
	f.wantAll(s, core.Segments, items...)
	f.wantAll(s, core.Flags, items[:1]...)
	f.wantAll(s, otherKind, items...)
	for _, item := range items {
		f.wantItem(s, core.Segments, item)
	}
}

func testKeysSimilar(f *fixture) {
	s := f.open()
	keys := []string{
		"Key", "key", "KEY", "key ", " key", "key\n", "key\u00a0", "caf\u00e9", "cafe\u0301", "ß", "ss", "İ", "i", "I", "ı", "ﬁ", "fi",
		"a:b", "a/b", "a.b", "a_b", "a-b", "aXb", "1", "01", "1.0",
	}
	for i, key := range keys {
		f.upsert(s, core.Flags, live(key, i+1))
	}
	for i, key := range keys {
		f.wantItem(s, core.Flags, live(key, i+1))
	}
}

// testKeysOfTheLayout uses as keys what some database keeps beside the items.
func testKeysOfTheLayout(f *fixture) {
	s := f.open()
	keys := []string{
		"$inited", "inited", "initialized", f.prefix, f.prefix + ":$inited", f.prefix + "/$inited", "features", "segments",
		"big_segments_synchronized_on", "big_segments_cursor", "big_segments_metadata", "features:a", "features/a", "version",
	}
	for _, kind := range allKinds() {
		for _, key := range keys {
			f.upsert(s, kind, tagged(key, 1, string(kind)))
		}
	}
	f.wantInitialized(s, false)
	f.upsert(s, core.Flags, live("a", 7))
	f.wantMissing(s, core.Segments, "a")
	for _, kind := range allKinds() {
		for _, key := range keys {
			f.wantItem(s, kind, tagged(key, 1, string(kind)))
		}
	}
	f.init(s)
	f.wantAll(s, core.Flags)
	f.wantInitialized(s, true)
}

// longKey returns a key of the given length in bytes. It ends in what, so that a key that was cut is not the same.
func longKey(size int, what string) string { return strings.Repeat("k", size-len(what)) + what }

// maxKey returns the length of the longest key that the adapter must accept.
func (f *fixture) maxKey() int {
	if limit := f.h.Capabilities.MaxKeySize; limit > 0 {
		return limit
	}
	return f.longKey
}

func testKeysLong(f *fixture) {
	s := f.open()
	items := []core.KeyedSerializedItem{live(longKey(f.maxKey(), "a"), 1), live(longKey(f.maxKey(), "b"), 2)}
	for _, item := range items {
		f.upsert(s, core.Flags, item)
	}
	for _, item := range items {
		f.wantItem(s, core.Flags, item)
	}
	f.wantAll(s, core.Flags, items...)
	f.init(s, collection(core.Segments, items...))
	f.wantAll(s, core.Segments, items...)
	f.wantAll(s, core.Flags)
}

func testKeysEmpty(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	if _, _, err := s.Get(f.Context(), core.Flags, ""); !errors.Is(err, core.ErrInvalid) {
		f.Fatalf("Get of an empty key: the error is %v, want ErrInvalid", err)
	}
	if _, err := s.Upsert(f.Context(), core.Flags, "", live("", 1).Item); !errors.Is(err, core.ErrInvalid) {
		f.Fatalf("Upsert of an empty key: the error is %v, want ErrInvalid", err)
	}
	f.wantAll(s, core.Flags, live("a", 1))
}

func testKeysTooLongUpsert(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	f.wantTooLargeUpsert(s, live(longKey(2*f.maxKey(), "z"), 1))
	f.wantAll(s, core.Flags, live("a", 1))
}

func testKeysTooLongInit(f *fixture) {
	s := f.open()
	f.wantTooLargeInit(s, live(longKey(2*f.maxKey(), "z"), 1), live("a", 1), live("b", 1))
	f.wantAll(s, core.Flags, live("a", 1), live("b", 1))
	f.wantInitialized(s, true)
}
