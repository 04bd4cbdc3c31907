package conformance

import (
	"fmt"

	"github.com/cleatdev/cleat/core"
)

func testWrappedOthersAtOnce(f *wrappedFixture) {
	w, other := f.openWrapped(), f.open()
	f.wantHidden(w, core.Flags, "a")
	for version := 1; version <= 3; version++ {
		f.upsert(other, core.Flags, live("a", version))
		f.wantLive(w, core.Flags, live("a", version))
		f.wantMap(w, core.Flags, live("a", version))
	}
	f.upsert(other, core.Flags, tombstone("a", 4))
	f.wantHidden(w, core.Flags, "a")
	f.wantMap(w, core.Flags)
	f.init(other, collection(core.Flags, live("b", 1)))
	f.wantMap(w, core.Flags, live("b", 1))
	f.wantWrappedInitialized(w, true)
}

func testWrappedOthersEventually(f *wrappedFixture) {
	w, other := f.openWrapped(), f.open()
	f.init(other, collection(core.Flags, live("a", 1), live("b", 1)))
	f.wantLive(w, core.Flags, live("a", 1))
	f.wantMap(w, core.Flags, live("a", 1), live("b", 1))

	f.upsert(other, core.Flags, live("a", 2))
	f.upsert(other, core.Flags, tombstone("b", 2))
	f.upsert(other, core.Flags, live("c", 2))
	f.eventually("Get of what another process wrote", func() string {
		item, found, err := w.Get(f.Context(), core.Flags, "a")
		if err != nil || !found || item.Version() != 2 {
			return fmt.Sprintf("the old item (found %t, error %v)", found, err)
		}
		return ""
	})
	f.eventually("All of what another process wrote", func() string {
		got, err := w.All(f.Context(), core.Flags)
		if err != nil {
			return err.Error()
		}
		return differsInMap(got, []core.KeyedSerializedItem{live("a", 2), live("c", 2)})
	})
}

// testWrappedOthersNever hides optional abilities from the wrapper, because one that watches the database learns of what
// others write.
func testWrappedOthersNever(f *wrappedFixture) {
	other := f.open()
	f.init(other, collection(core.Flags, live("a", 1)))
	w := f.openWrappedUnmanaged(struct{ core.FeatureStoreCore }{f.openUnmanaged(f.prefix).core})
	f.Cleanup(func() {
		if err := w.Close(); err != nil {
			f.Errorf("Close: %v", err)
		}
	})
	f.wantWrappedInitialized(w, true) // what was read before that is known is read once more
	f.wantLive(w, core.Flags, live("a", 1))
	f.wantMap(w, core.Flags, live("a", 1))
	f.upsert(other, core.Flags, live("a", 2))
	f.upsert(other, core.Flags, live("b", 2))
	for range 10 {
		f.wantLive(w, core.Flags, live("a", 1))
		f.wantMap(w, core.Flags, live("a", 1))
	}
	f.wantUpdated(w, core.Flags, tombstone("a", 2), false) // an attempt to write shows what the database has
	f.wantLive(w, core.Flags, live("a", 2))
}

// testWrappedWipedStale: what was in the database is lost, so the status must ask for everything again.
func testWrappedWipedStale(f *wrappedFixture) {
	w := f.openWrapped()
	data := f.parsedCollection(core.Flags, live("a", 1))
	f.initWrapped(w, data)
	f.h.Wipe(f.tester)
	f.wantStatusEventually(w, core.DataStoreStatus{Available: true, Stale: true})
	f.initWrapped(w, data)
	f.wantStatusEventually(w, core.DataStoreStatus{Available: true})
	f.wantLive(w, core.Flags, live("a", 1))
	f.wantItem(f.open(), core.Flags, live("a", 1))
}

// testWrappedWipedRewritten: memory holds everything, so the database gets it back.
func testWrappedWipedRewritten(f *wrappedFixture) {
	w := f.openWrapped()
	f.initWrapped(w, f.parsedCollection(core.Segments, live("s", 1)), f.parsedCollection(core.Flags, live("a", 1)))
	f.wantUpdated(w, core.Flags, live("a", 2), true)
	f.wantUpdated(w, core.Flags, tombstone("b", 2), true)
	f.h.Wipe(f.tester)
	s := f.open()
	f.eventually("the wiped database", func() string {
		initialized, err := s.Initialized(f.Context())
		if err != nil || !initialized {
			return fmt.Sprintf("not initialised (error %v)", err)
		}
		return ""
	})
	f.wantAll(s, core.Segments, live("s", 1))
	f.wantAll(s, core.Flags, live("a", 2), tombstone("b", 2))
	f.wantStatusEventually(w, core.DataStoreStatus{Available: true})
	f.wantLive(w, core.Flags, live("a", 2))
}

func (f *wrappedFixture) wantStatusEventually(w *wrapped, want core.DataStoreStatus) {
	f.Helper()
	f.eventually("the status", func() string {
		if got := f.status(w); !got.SameState(want) {
			return fmt.Sprintf("%+v, want %+v", got, want)
		}
		return ""
	})
}
