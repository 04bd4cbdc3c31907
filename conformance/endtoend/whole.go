package endtoend

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/datasource/testsource"
	"github.com/cleatdev/cleat/internal/layout"
)

// wholeTests are about what readers in other languages need: every property of an item.
func wholeTests() group {
	return group{"Whole", []subtest{
		{"ItemsFromFiles", testWholeFiles},
		{"ItemsFromATestSource", testWholeTestSource},
		{"ShortTombstonesThatArrive", testWholeTombstones},
		{"TombstonesOfAnyShapeAreUnderstood", testAnyTombstone},
	}}
}

// wantWhole holds the database to having the item with every property.
func (f *fixture) wantWhole(of ref) {
	f.Helper()
	f.eventually("a whole item", func() string {
		data, found := f.h.ReadRaw(f.tester, f.prefix, of.kind, of.key)
		if !found {
			return of.String() + " is not in the database"
		}
		if problem := layout.Incomplete(of.kind, data); problem != "" {
			return of.String() + " is not whole: " + problem + ": " + string(data)
		}
		return ""
	})
}

// wantRaw holds the database to having exactly that.
func (f *fixture) wantRaw(of ref, want []byte) {
	f.Helper()
	if data, found := f.h.ReadRaw(f.tester, f.prefix, of.kind, of.key); !found || !bytes.Equal(data, want) {
		f.Fatalf("the database has %.200s for %v, want %.200s", data, of, want)
	}
}

func testWholeFiles(f *fixture) {
	directory, err := os.MkdirTemp("", "endtoend-")
	if err != nil {
		f.Fatalf("making a directory: %v", err)
	}
	f.Cleanup(func() { _ = os.RemoveAll(directory) })
	paths := []string{filepath.Join(directory, "a.json"), filepath.Join(directory, "b.yaml")}
	for i, text := range []string{
		`{"flags":{"bare":{},"gone":{"version":2,"deleted":true},"future":{"on":true,"fromTheFuture":1.0}},` +
			`"flagValues":{"value":"x"},"segments":{"s":{},"gone":{"deleted":true}}}`,
		"flags: {yaml: {rules: ~}}\nflagValues: {yaml-value: 9007199254740993}\nsegments: {yaml: {included: [a]}}\n",
	} {
		if err := os.WriteFile(paths[i], []byte(text), 0o600); err != nil {
			f.Fatalf("writing a file: %v", err)
		}
	}
	c := f.start(how{from: filedata.Source(filedata.Options{Paths: paths})})
	for _, key := range []string{"bare", "gone", "future", "value", "yaml", "yaml-value"} {
		f.wantWhole(flagRef(key))
	}
	for _, key := range []string{"s", "gone", "yaml"} {
		f.wantWhole(segmentRef(key))
	}
	f.wantValue(c, "value", member(), "x")
}

func testWholeTestSource(f *fixture) {
	source := testsource.New()
	source.UsePreconfiguredFlag(ldmodel.FeatureFlag{Key: "bare"})
	c := f.start(how{from: source.Factory()})
	f.wantWhole(flagRef("bare"))
	source.Update(source.Flag("built").Rule(testsource.True, testsource.InSegment("s")))
	source.UsePreconfiguredSegment(ldmodel.Segment{Key: "s"})
	source.DeleteFlag("bare")
	source.DeleteSegment("never-there")
	for _, of := range []ref{flagRef("bare"), flagRef("built"), segmentRef("s"), segmentRef("never-there")} {
		f.wantWhole(of)
	}
	if !c.BoolVariation(f.Context(), "built", member(), false) {
		f.Fatalf("the flag of the test source is false, want true")
	}
}

// tombstonesIn returns tombstones in every shape, of flags and segments, each under a key of its own.
func tombstonesIn(f *fixture, version int) []update {
	f.Helper()
	var updates []update
	for i := range layout.Tombstones("", version) {
		for _, of := range []ref{flagRef(switchKey + string(rune('a'+i))), segmentRef(innerKey + string(rune('a'+i)))} {
			item, err := core.ParseItem(layout.Tombstones(of.key, version)[i])
			if err != nil {
				f.Fatalf("the suite's own tombstone: %v", err)
			}
			updates = append(updates, update{of, item})
		}
	}
	return updates
}

func testWholeTombstones(f *fixture) {
	c := f.startWith(everything(1)...)
	for _, u := range tombstonesIn(f, 2) {
		if err := c.source.sink.Upsert(f.Context(), u.kind, u.key, u.item); err != nil {
			f.Fatalf("delivering a tombstone: %v", err)
		}
		f.wantWhole(u.ref)
	}
	if err := c.source.sink.Init(f.Context(), newWorld(tombstonesIn(f, 3)...).collections()); err != nil {
		f.Fatalf("delivering all data: %v", err)
	}
	for _, u := range tombstonesIn(f, 3) {
		f.wantWhole(u.ref)
	}
}

// testAnyTombstone has another writer leave tombstones in every shape.
func testAnyTombstone(f *fixture) {
	f.startWith(everything(1)...).close()
	for _, u := range tombstonesIn(f, 2) {
		f.h.WriteRaw(f.tester, f.prefix, u.kind, u.key, u.item.JSON())
	}
	w := newWorld(everything(1)...).with(tombstonesIn(f, 2)...)
	f.wantValues(f.start(how{daemon: true}), w)
	c := f.start(how{})
	f.wantValues(c, w)
	f.follow(c, newWorld(everything(1)...), deleted(flagRef(switchKey), 2)) // which what lies beside it does not disturb
	for _, u := range tombstonesIn(f, 2) {
		c.send(deleted(u.ref, 2)) // not newer
		f.wantRaw(u.ref, u.item.JSON())
		c.send(deleted(u.ref, 3))
		f.wantWhole(u.ref)
	}
}
