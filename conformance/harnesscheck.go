package conformance

import (
	"bytes"
	"testing"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

// harnessTests hold the harness to what [Harness] says of its functions, with nothing of the adapter in between: a WriteRaw or
// a Wipe that does nothing would make other subtests fail as if the adapter were at fault.
func harnessTests() []subtest[*fixture] {
	return []subtest[*fixture]{
		{"ReadRawFindsNothingAtFirst", func(f *fixture) { f.wantRawMissing(f.prefix, "a", "which was never written") }},
		{"ReadRawReturnsWhatWriteRawWrote", testRawWrites},
		{"PrefixesAreApart", testRawPrefixes},
		{"WipeRemovesEverything", testRawWipe},
	}
}

// harnessIsSound runs the tests of the harness. Without it, nothing can be said about the adapter.
func harnessIsSound(t tester, newFixture func(t tester) *fixture) bool {
	sound := true
	t.Run("Harness", func(t tester) {
		for _, test := range harnessTests() {
			sound = t.Run(test.Name, func(t tester) { test.Run(newFixture(t)) }) && sound
		}
		if !sound {
			t.Errorf("the harness does not do what conformance.Harness says; the adapter was not tested")
		}
	})
	return sound
}

func (f *fixture) wantRawMissing(prefix, key, why string) {
	f.Helper()
	if data, found := f.h.ReadRaw(f.tester, prefix, core.Flags, key); found {
		f.Fatalf("Harness.ReadRaw of an item %s: found %s", why, brief(data))
	}
}

func testRawWrites(f *fixture) {
	for version := 1; version <= 2; version++ { // the second one overwrites
		item := live("a", version)
		f.h.WriteRaw(f.tester, f.prefix, core.Flags, item.Key, item.Item.Data)
		data, found := f.h.ReadRaw(f.tester, f.prefix, core.Flags, item.Key)
		if !found || !bytes.Equal(data, item.Item.Data) {
			f.Fatalf("Harness.ReadRaw after Harness.WriteRaw of %s: found %t, %s", brief(item.Item.Data), found, brief(data))
		}
	}
}

func testRawPrefixes(f *fixture) {
	f.h.WriteRaw(f.tester, f.prefix, core.Flags, "a", live("a", 1).Item.Data)
	f.wantRawMissing(suite.RandomPrefix(), "a", "that was written under another prefix")
}

func testRawWipe(f *fixture) {
	f.h.WriteRaw(f.tester, f.prefix, core.Flags, "a", live("a", 1).Item.Data)
	f.h.Wipe(f.tester)
	f.wantRawMissing(f.prefix, "a", "that Harness.Wipe should have removed")
}

// bounded returns the harness with functions that fail the subtest if they take too long.
func (h Harness) bounded(timeout time.Duration) Harness {
	open, writeRaw, readRaw, wipe, openBig := h.Open, h.WriteRaw, h.ReadRaw, h.Wipe, h.OpenBigSegments
	h.Open = func(t testing.TB, prefix string) core.FeatureStoreCore {
		return within(t, timeout, "Open", func() core.FeatureStoreCore { return open(t, prefix) })
	}
	h.WriteRaw = func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
		within(t, timeout, "WriteRaw", func() struct{} { writeRaw(t, prefix, kind, key, data); return struct{}{} })
	}
	h.ReadRaw = func(t testing.TB, prefix string, kind core.DataKind, key string) (data []byte, found bool) {
		data = within(t, timeout, "ReadRaw", func() []byte {
			data, found = readRaw(t, prefix, kind, key)
			return data
		})
		return data, found
	}
	h.Wipe = func(t testing.TB) {
		within(t, timeout, "Wipe", func() struct{} { wipe(t); return struct{}{} })
	}
	if openBig != nil {
		h.OpenBigSegments = func(t testing.TB, prefix string) core.BigSegmentStore {
			return within(t, timeout, "OpenBigSegments", func() core.BigSegmentStore { return openBig(t, prefix) })
		}
	}
	return h
}

// within returns what a function of the harness returns, and ends the subtest if the function does, panics or takes too long.
func within[R any](t testing.TB, timeout time.Duration, name string, f func() R) R {
	t.Helper()
	result, err := suite.Guarded(suite.NewGuard(t, timeout), "Harness."+name, func() (R, error) { return f(), nil })
	if err != nil { // which the guard, or the function itself, has reported
		t.FailNow()
	}
	return result
}
