package conformance

import (
	"errors"

	"github.com/cleatdev/cleat/core"
)

func sizeTests(c Capabilities) group[*fixture] {
	g := group[*fixture]{"Size", []subtest[*fixture]{
		{"ManyItems", testSizeManyItems},
		{"LargestItem", testSizeLargest},
	}}
	if c.MaxItemSize > 0 {
		g.Tests = append(g.Tests,
			subtest[*fixture]{"TooLargeItemIsRefusedByUpsert", testSizeTooLargeUpsert},
			subtest[*fixture]{"TooLargeItemStopsNothingElseInInit", testSizeTooLargeInit})
	}
	return g
}

// largest returns the size of the largest item that the adapter must accept.
func (f *fixture) largest() int {
	if limit := f.h.Capabilities.MaxItemSize; limit > 0 {
		return limit
	}
	return f.bigItem
}

func testSizeManyItems(f *fixture) {
	s := f.open()
	s.guard = s.Patient()
	segments, flags := numbered("segment", f.manyItems/20, 1), numbered("flag", f.manyItems, 1)
	f.init(s, collection(core.Segments, segments...), collection(core.Flags, flags...))
	f.wantAll(s, core.Segments, segments...)
	f.wantAll(s, core.Flags, flags...)
	f.wantItem(s, core.Flags, flags[len(flags)-1])

	half := numbered("flag", f.manyItems/2, 2)
	f.init(s, collection(core.Flags, half...))
	f.wantAll(s, core.Segments)
	f.wantAll(s, core.Flags, half...)
}

func testSizeLargest(f *fixture) {
	s := f.open()
	s.guard = s.Patient()
	big := sized("big", 1, f.largest())
	f.upsert(s, core.Flags, big)
	f.wantItem(s, core.Flags, big)
	newer := sized("big", 2, f.largest())
	f.upsert(s, core.Flags, newer)
	f.wantUpsert(s, core.Flags, big, newer, false)
	f.init(s, collection(core.Flags, live("a", 1), big, live("b", 1)), collection(core.Segments, big))
	f.wantAll(s, core.Flags, live("a", 1), big, live("b", 1))
	f.wantAll(s, core.Segments, big)
}

func testSizeTooLargeUpsert(f *fixture) {
	s := f.open()
	s.guard = s.Patient()
	f.upsert(s, core.Flags, live("a", 1))
	f.wantTooLargeUpsert(s, sized("a", 2, 2*f.largest()))
	f.wantTooLargeUpsert(s, sized("new", 2, 2*f.largest()))
	f.wantAll(s, core.Flags, live("a", 1))
	f.upsert(s, core.Flags, live("a", 2))
}

func testSizeTooLargeInit(f *fixture) {
	s := f.open()
	s.guard = s.Patient()
	f.upsert(s, core.Flags, live("big", 1))
	f.upsert(s, core.Flags, live("leftover", 1))
	f.wantTooLargeInit(s, sized("big", 2, 2*f.largest()), live("a", 2), live("b", 2))
	f.wantAll(s, core.Flags, live("a", 2), live("big", 1), live("b", 2))
	f.wantInitialized(s, true)
}

func (f *fixture) wantTooLargeUpsert(s *store, item core.KeyedSerializedItem) {
	f.Helper()
	_, err := s.Upsert(f.Context(), core.Flags, item.Key, item.Item)
	f.wantTooLarge("Upsert", err, item)
}

// wantTooLargeInit calls Init with the item between others and expects an error about that one.
func (f *fixture) wantTooLargeInit(s *store, item core.KeyedSerializedItem, others ...core.KeyedSerializedItem) {
	f.Helper()
	flags := append([]core.KeyedSerializedItem{others[0], item}, others[1:]...)
	err := s.Init(f.Context(), []core.SerializedCollection{
		collection(core.Segments, live("s", 1)), collection(core.Flags, flags...), collection(otherKind, live("x", 1)),
	})
	f.wantTooLarge("Init", err, item)
	f.wantAll(s, core.Segments, live("s", 1))
	f.wantAll(s, otherKind, live("x", 1))
}

func (f *fixture) wantTooLarge(method string, err error, item core.KeyedSerializedItem) {
	f.Helper()
	if !errors.Is(err, core.ErrTooLarge) {
		f.Fatalf("%s of an item that is too large: the error is %.300v, want ErrTooLarge", method, err)
	}
	itemErr, ok := errors.AsType[*core.ItemError](err)
	if !ok {
		f.Fatalf("%s of an item that is too large: the error is a %T, want an *ItemError", method, err)
	}
	sizeRight := itemErr.Size == len(item.Item.Data) || itemErr.Size == 0 && len(item.Key) > f.maxKey()
	if itemErr.Kind != core.Flags || itemErr.Key != item.Key || !sizeRight {
		f.Fatalf("%s of an item that is too large: the error names %q %s of %d bytes, want %q %s of %d bytes", method,
			itemErr.Kind, briefKey(itemErr.Key), itemErr.Size, core.Flags, briefKey(item.Key), len(item.Item.Data))
	}
}
