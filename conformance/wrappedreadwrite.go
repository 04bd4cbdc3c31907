package conformance

import (
	"errors"

	"github.com/cleatdev/cleat/core"
)

func testWrappedMissing(f *wrappedFixture) {
	w := f.openWrapped()
	for _, kind := range allKinds() {
		f.wantHidden(w, kind, "nothing")
		f.wantHidden(w, kind, "nothing")
		f.wantMap(w, kind)
	}
	f.wantWrappedInitialized(w, false)
}

func testWrappedVersions(f *wrappedFixture) {
	w := f.openWrapped()
	for _, kind := range allKinds() {
		f.wantUpdated(w, kind, live("a", -1), true)
		f.wantUpdated(w, kind, live("a", 2), true)
		f.wantUpdated(w, kind, tagged("a", 2, "equal"), false)
		f.wantUpdated(w, kind, tagged("a", 1, "older"), false)
		f.wantLive(w, kind, live("a", 2))
		f.wantUpdated(w, kind, live("a", 3), true)
		f.wantLive(w, kind, live("a", 3))
		f.wantMap(w, kind, live("a", 3))
	}
}

func testWrappedDeleted(f *wrappedFixture) {
	w := f.openWrapped()
	f.initWrapped(w, f.parsedCollection(core.Flags, live("a", 1), live("b", 1), tombstone("c", 1)))
	f.wantMap(w, core.Flags, live("a", 1), live("b", 1))
	f.wantHidden(w, core.Flags, "c")

	deleted, err := w.Upsert(f.Context(), core.Flags, "a", core.NewTombstone(core.Flags, "a", 3))
	if err != nil || !deleted {
		f.Fatalf("Delete: %t, error %v", deleted, err)
	}
	f.wantHidden(w, core.Flags, "a")
	f.wantMap(w, core.Flags, live("b", 1))
	f.wantUpdated(w, core.Flags, live("a", 2), false)
	f.wantHidden(w, core.Flags, "a")
	f.wantUpdated(w, core.Flags, live("a", 4), true)
	f.wantLive(w, core.Flags, live("a", 4))
	f.wantMap(w, core.Flags, live("a", 4), live("b", 1))
}

func testWrappedInit(f *wrappedFixture) {
	w := f.openWrapped()
	f.initWrapped(w,
		f.parsedCollection(core.Segments, live("s", 5)), f.parsedCollection(core.Flags, live("a", 5), live("b", 5)))
	f.wantWrappedInitialized(w, true)
	f.wantMap(w, core.Segments, live("s", 5))
	f.wantLive(w, core.Flags, live("a", 5))
	f.wantLive(w, core.Flags, live("b", 5))

	f.initWrapped(w, f.parsedCollection(core.Flags, live("a", 1), live("c", 1)))
	f.wantMap(w, core.Segments)
	f.wantHidden(w, core.Segments, "s")
	f.wantHidden(w, core.Flags, "b")
	f.wantLive(w, core.Flags, live("a", 1))
	f.wantMap(w, core.Flags, live("a", 1), live("c", 1))
}

func testWrappedExisting(f *wrappedFixture) {
	other := f.open()
	f.init(other, collection(core.Segments, live("s", 1)), collection(core.Flags, live("a", 1), tombstone("b", 1)))
	w := f.openWrapped()
	f.wantWrappedInitialized(w, true)
	f.wantLive(w, core.Flags, live("a", 1))
	f.wantHidden(w, core.Flags, "b")
	f.wantMap(w, core.Flags, live("a", 1))
	f.wantMap(w, core.Segments, live("s", 1))
	f.wantUpdated(w, core.Flags, live("b", 1), false)
}

func testWrappedWrites(f *wrappedFixture) {
	w, s := f.openWrapped(), f.open()
	f.initWrapped(w, f.parsedCollection(core.Segments, unusual()...), f.parsedCollection(core.Flags, unusual()...))
	f.wantUpdated(w, core.Flags, tombstone("a", 2), true)
	f.wantInitialized(s, true)
	f.wantAll(s, core.Segments, asWritten(core.Segments, unusual())...)
	f.wantAll(s, core.Flags, append(asWritten(core.Flags, unusual()), tombstone("a", 2))...)
	for _, item := range asWritten(core.Flags, unusual()) {
		f.wantRaw(core.Flags, item)
	}
}

// testWrappedLoser has another writer win without the wrapper's knowledge.
func testWrappedLoser(f *wrappedFixture) {
	w, s := f.openWrapped(), f.open()
	f.wantUpdated(w, core.Flags, live("a", 1), true)
	f.upsert(s, core.Flags, tagged("a", 5, "other"))
	f.wantUpdated(w, core.Flags, live("a", 4), false)
	f.wantLive(w, core.Flags, tagged("a", 5, "other"))
}

func testWrappedCorrupt(f *wrappedFixture) {
	f.init(f.open(), collection(core.Flags, live("a", 1), tombstone("b", 1), live("z", 1)))
	bad := f.writeUndecodable(core.Flags)
	w := f.openWrapped()
	for range 2 {
		for _, item := range bad {
			_, found, err := w.Get(f.Context(), core.Flags, item.Key)
			itemErr, ok := errors.AsType[*core.ItemError](err)
			if found || !errors.Is(err, core.ErrCorrupt) || !ok || itemErr.Kind != core.Flags || itemErr.Key != item.Key {
				f.Fatalf("Get of %s: found %t, error %v; want an *ItemError about it wrapping ErrCorrupt", brief(item.Item.Data), found, err)
			}
		}
		got, err := w.All(f.Context(), core.Flags)
		if !errors.Is(err, core.ErrCorrupt) {
			f.Fatalf("All with corrupt items: the error is %v, want ErrCorrupt", err)
		}
		if missing := missingItemErrors(err, bad); len(missing) > 0 {
			f.Fatalf("All with corrupt items: no *ItemError for %q", missing)
		}
		if d := differsInMap(got, []core.KeyedSerializedItem{live("a", 1), live("z", 1)}); d != "" {
			f.Fatalf("All with corrupt items: %s", d)
		}
		f.wantLive(w, core.Flags, live("a", 1))
	}
}

// missingItemErrors returns the keys of the items of which err holds no *ItemError.
func missingItemErrors(err error, items []core.KeyedSerializedItem) []string {
	named := make(map[string]bool)
	var walk func(err error)
	walk = func(err error) {
		switch e := err.(type) { //nolint:errorlint // this walks the tree that errors.As walks
		case *core.ItemError:
			named[e.Key] = true
		case interface{ Unwrap() []error }:
			for _, part := range e.Unwrap() {
				walk(part)
			}
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		}
	}
	walk(err)
	var missing []string
	for _, item := range items {
		if !named[item.Key] {
			missing = append(missing, item.Key)
		}
	}
	return missing
}

func testWrappedHeals(f *wrappedFixture) {
	bad := f.writeUndecodable(core.Flags)
	w := f.openWrapped()
	for i, item := range bad {
		if i%2 == 0 { // half of them are known to be corrupt
			_, _, err := w.Get(f.Context(), core.Flags, item.Key)
			if !errors.Is(err, core.ErrCorrupt) {
				f.Fatalf("Get of %s: the error is %v, want ErrCorrupt", brief(item.Item.Data), err)
			}
		}
		f.wantUpdated(w, core.Flags, live(item.Key, -1), true)
		f.wantLive(w, core.Flags, live(item.Key, -1))
	}
	healed := make([]core.KeyedSerializedItem, 0, len(bad))
	for _, item := range bad {
		healed = append(healed, live(item.Key, -1))
	}
	f.wantMap(w, core.Flags, healed...)
}
