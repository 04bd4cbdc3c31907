package conformance

import (
	"flag"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func modelTests() group[*fixture] {
	return group[*fixture]{"Model", []subtest[*fixture]{
		{"RandomOperationsMatchTheModel", testModel},
	}}
}

// testModel compares the store with a map, over random sequences of operations. A failing sequence is made as short as
// possible and reported.
func testModel(f *fixture) {
	// The failure says with which seed it can be repeated, so that the library need not leave files in the package under test.
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		f.Fatal(err)
	}
	passed := 0
	rapid.Check(f.tester, func(t *rapid.T) {
		if passed >= f.modelChecks {
			return
		}
		m := newModel(f, t)
		defer m.close()
		t.Repeat(map[string]func(*rapid.T){
			"upsert": m.upsert, "get": m.get, "getAll": m.getAll, "init": m.init, "initialized": m.askInitialized,
			"reopen": m.reopen, "corrupt": m.corrupt,
		})
		m.compare(t)
		passed++
	})
}

// model is what a store should hold, next to the store.
type model struct {
	f           *fixture
	prefix      string
	stores      []*store
	items       map[core.DataKind]map[string]core.SerializedItem
	initialized bool
}

// corruptVersion is the version that the model gives to what cannot be decoded: less than any other.
const corruptVersion = -maxVersion - 1

func newModel(f *fixture, t *rapid.T) *model {
	m := &model{f: f, prefix: suite.RandomPrefix(), items: make(map[core.DataKind]map[string]core.SerializedItem)}
	for range rapid.IntRange(1, 2).Draw(t, "stores") {
		m.stores = append(m.stores, f.openUnmanaged(m.prefix))
	}
	return m
}

func (m *model) close() {
	for _, s := range m.stores {
		if err := s.Close(); err != nil {
			m.f.Errorf("Close: %v", err)
		}
	}
}

func drawKind(t *rapid.T) core.DataKind { return rapid.SampledFrom(allKinds()).Draw(t, "kind") }

func drawKey(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "A", "a:b", "a/b", "é", "*"}).Draw(t, "key")
}

func drawItem(t *rapid.T, key string) core.KeyedSerializedItem {
	version := rapid.IntRange(-2, 12).Draw(t, "version")
	if rapid.IntRange(0, 3).Draw(t, "tombstone") == 0 {
		return tombstone(key, version)
	}
	return tagged(key, version, rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "tag"))
}

func (m *model) drawStore(t *rapid.T) *store { return rapid.SampledFrom(m.stores).Draw(t, "store") }

func (m *model) put(kind core.DataKind, item core.KeyedSerializedItem) {
	if m.items[kind] == nil {
		m.items[kind] = make(map[string]core.SerializedItem)
	}
	m.items[kind][item.Key] = item.Item
}

func (m *model) upsert(t *rapid.T) {
	kind, key := drawKind(t), drawKey(t)
	item := drawItem(t, key)
	before, found := m.items[kind][key]
	written := !found || before.Version < item.Item.Version
	if written {
		m.put(kind, item)
	}
	result, err := m.drawStore(t).Upsert(t.Context(), kind, key, item.Item)
	if err != nil {
		t.Fatalf("Upsert: %v", err)
	}
	if d := differsInResult(result, m.items[kind][key], written); d != "" {
		t.Fatalf("Upsert of %s %q: %s", kind, key, d)
	}
}

func (m *model) get(t *rapid.T) {
	kind, key := drawKind(t), drawKey(t)
	want, wanted := m.items[kind][key]
	got, found, err := m.drawStore(t).Get(t.Context(), kind, key)
	if err != nil || found != wanted {
		t.Fatalf("Get of %s %q: found %t, error %v; want found %t", kind, key, found, err, wanted)
	}
	if d := m.differs(got, want); d != "" {
		t.Fatalf("Get of %s %q: %s", kind, key, d)
	}
}

// differs is like the function of that name, but asks for no version of what cannot be decoded.
func (m *model) differs(got, want core.SerializedItem) string {
	if want.Version == corruptVersion {
		got.Version = 0
	}
	return differs(got, want)
}

func (m *model) getAll(t *rapid.T) { m.compareKind(t, drawKind(t)) }

func (m *model) compare(t *rapid.T) {
	for _, kind := range allKinds() {
		m.compareKind(t, kind)
	}
	m.askInitialized(t)
}

func (m *model) compareKind(t *rapid.T, kind core.DataKind) {
	got, err := m.drawStore(t).GetAll(t.Context(), kind)
	if err != nil {
		t.Fatalf("GetAll of %s: %v", kind, err)
	}
	want := make([]core.KeyedSerializedItem, 0, len(m.items[kind]))
	for _, key := range slices.Sorted(maps.Keys(m.items[kind])) {
		want = append(want, core.KeyedSerializedItem{Key: key, Item: m.items[kind][key]})
	}
	for i := range got {
		if m.items[kind][got[i].Key].Version == corruptVersion {
			got[i].Item.Version = 0
		}
	}
	if d := differsInAll(got, want); d != "" {
		t.Fatalf("GetAll of %s: %s", kind, d)
	}
}

func (m *model) init(t *rapid.T) {
	kinds := rapid.SliceOfNDistinct(rapid.SampledFrom(allKinds()), 0, -1, rapid.ID).Draw(t, "kinds")
	data := make([]core.SerializedCollection, 0, len(kinds))
	for _, kind := range append(core.BuiltInKinds(), kinds...) {
		m.items[kind] = nil
	}
	for _, kind := range kinds {
		keys := rapid.SliceOfNDistinct(rapid.Custom(drawKey), 0, 4, rapid.ID).Draw(t, "keys")
		c := collection(kind)
		for _, key := range keys {
			item := drawItem(t, key)
			c.Items = append(c.Items, item)
			m.put(kind, item)
		}
		data = append(data, c)
	}
	m.initialized = true
	if err := m.drawStore(t).Init(t.Context(), data); err != nil {
		t.Fatalf("Init: %v", err)
	}
}

func (m *model) askInitialized(t *rapid.T) {
	got, err := m.drawStore(t).Initialized(t.Context())
	if err != nil || got != m.initialized {
		t.Fatalf("Initialized: %t, error %v; want %t", got, err, m.initialized)
	}
}

func (m *model) reopen(t *rapid.T) {
	i := rapid.IntRange(0, len(m.stores)-1).Draw(t, "store")
	if err := m.stores[i].Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	m.stores[i] = m.f.openUnmanaged(m.prefix)
}

func (m *model) corrupt(t *rapid.T) {
	kind, key := drawKind(t), drawKey(t)
	data := []byte(rapid.SampledFrom(undecodable()).Draw(t, "text"))
	m.f.h.WriteRaw(m.f.tester, m.prefix, kind, key, data)
	m.put(kind, core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Version: corruptVersion, Data: data}})
}
