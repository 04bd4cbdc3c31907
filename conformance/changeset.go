package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func changeSetTests(c Capabilities) group[*fixture] {
	g := group[*fixture]{"ChangeSet", []subtest[*fixture]{
		{"ResultsAreInOrder", testChangeSetResults},
		{"EmptyChangesNothing", testChangeSetEmpty},
		{"InvalidChangeUndoesAll", testChangeSetInvalid},
		{"HealsCorruptItems", testChangeSetHeals},
		{"ReadersSeeAllOrNothing", testChangeSetAtomic},
	}}
	if c.MaxItemSize > 0 {
		g.Tests = append(g.Tests, subtest[*fixture]{"TooLargeItemUndoesAll", testChangeSetTooLarge})
	}
	return g
}

func change(kind core.DataKind, item core.KeyedSerializedItem) core.KindAndKeyedItem {
	return core.KindAndKeyedItem{Kind: kind, Key: item.Key, Item: item.Item}
}

// errNoApplier is returned if the store lacks an ability that the harness declares.
var errNoApplier = errors.New("the store is no core.ChangeSetApplier")

func (s *store) applyChangeSet(ctx context.Context, changes ...core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	applier, ok := s.core.(core.ChangeSetApplier)
	if !ok {
		return nil, errNoApplier
	}
	return suite.Guarded(s.guard, "ApplyChangeSet", func() ([]core.UpsertResult, error) {
		return applier.ApplyChangeSet(ctx, changes)
	})
}

func testChangeSetResults(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Flags, tagged("older", 1, "before"), tagged("equal", 5, "before"), tagged("newer", 9, "before")))
	changes := []core.KindAndKeyedItem{
		change(core.Flags, live("newer", 5)), change(core.Segments, live("s", 5)), change(core.Flags, live("older", 5)),
		change(core.Flags, live("equal", 5)), change(otherKind, tombstone("x", 5)),
	}
	want := []core.UpsertResult{
		{Item: tagged("newer", 9, "before").Item}, {Item: live("s", 5).Item, Written: true},
		{Item: live("older", 5).Item, Written: true}, {Item: tagged("equal", 5, "before").Item},
		{Item: tombstone("x", 5).Item, Written: true},
	}
	got, err := s.applyChangeSet(f.Context(), changes...)
	if err != nil || len(got) != len(want) {
		f.Fatalf("ApplyChangeSet: %d results, error %v; want %d results", len(got), err, len(want))
	}
	for i := range want {
		if d := differsInResult(got[i], want[i].Item, want[i].Written); d != "" {
			f.Fatalf("ApplyChangeSet: result %d, of %s: %s", i, changes[i].Key, d)
		}
	}
	f.wantAll(s, core.Flags, live("older", 5), tagged("equal", 5, "before"), tagged("newer", 9, "before"))
	f.wantAll(s, core.Segments, live("s", 5))
	f.wantAll(s, otherKind, tombstone("x", 5))
}

func testChangeSetEmpty(f *fixture) {
	s := f.open()
	results, err := s.applyChangeSet(f.Context())
	if err != nil || len(results) != 0 {
		f.Fatalf("ApplyChangeSet of nothing: %d results, error %v", len(results), err)
	}
	f.wantAll(s, core.Flags)
	f.wantInitialized(s, false)
}

func testChangeSetInvalid(f *fixture) {
	s := f.open()
	for name, bad := range map[string]core.KindAndKeyedItem{
		"an empty key": change(core.Flags, live("", 1)), "an invalid kind": change("a:b", live("b", 1)),
	} {
		_, err := s.applyChangeSet(f.Context(), change(core.Flags, live("a", 1)), bad, change(core.Flags, live("c", 1)))
		if !errors.Is(err, core.ErrInvalid) {
			f.Fatalf("ApplyChangeSet with %s: the error is %v, want ErrInvalid", name, err)
		}
		f.wantAll(s, core.Flags)
	}
}

func testChangeSetHeals(f *fixture) {
	s := f.open()
	f.writeUndecodable(core.Flags)
	healed := live("corrupt-0", -1)
	results, err := s.applyChangeSet(f.Context(), change(core.Flags, healed))
	if err != nil || len(results) != 1 || !results[0].Written {
		f.Fatalf("ApplyChangeSet over a corrupt item: results %+v, error %v", results, err)
	}
	f.wantItem(s, core.Flags, healed)
}

func testChangeSetTooLarge(f *fixture) {
	s := f.open()
	s.guard = s.Patient()
	big := sized("big", 1, 2*f.largest())
	_, err := s.applyChangeSet(f.Context(), change(core.Flags, live("a", 1)), change(core.Flags, big))
	f.wantTooLarge("ApplyChangeSet", err, big)
	f.wantAll(s, core.Flags)
}

// testChangeSetAtomic reads while two items are always changed together.
func testChangeSetAtomic(f *fixture) {
	writer, reader := f.open(), f.open()
	const first, second = "first", "second"
	apply := func(version int) error {
		_, err := writer.applyChangeSet(f.Context(), change(core.Flags, live(first, version)), change(core.Flags, live(second, version)))
		return err
	}
	if err := apply(1); err != nil {
		f.Fatalf("ApplyChangeSet: %v", err)
	}
	f.whileWriting(func() error {
		for version := 2; version < f.rounds+2; version++ {
			if err := apply(version); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		versions, err := reader.versions(f.Context(), core.Flags)
		if err == nil && (versions[first] != versions[second] || len(versions) != 2) {
			err = fmt.Errorf("GetAll shows a change set in part: %v", versions)
		}
		return err
	})
}
