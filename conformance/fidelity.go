package conformance

import (
	"bytes"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

func fidelityTests() group[*fixture] {
	return group[*fixture]{"Fidelity", []subtest[*fixture]{
		{"UpsertKeepsEveryByte", testFidelityUpsert},
		{"InitKeepsEveryByte", testFidelityInit},
		{"ReadsKeepEveryByte", testFidelityRead},
		{"ReturnedBytesStayAsTheyAre", testReturnedBytes},
	}}
}

// unusual are items whose JSON a store that decodes and encodes it would change.
func unusual() []core.KeyedSerializedItem {
	var items []core.KeyedSerializedItem
	for i, text := range []string{
		`{"key":"unusual-0","version":5,"fromTheFuture":{"deep":[1,2,{"x":null}]}}`,
		`{"zzz":1,"version":5,"aaa":2,"key":"unusual-1"}`,
		"{ \"version\" : 5 ,\n\t\"key\" : \"unusual-2\" }\n",
		`{"version":5,"number":1.0,"big":12345678901234567890,"exp":1E+2,"tiny":1e-400}`,
		`{"version":5,"text":"\u00e9\u2028\/<>&é日本語🏴"}`,
		`{"version":5,"same":1,"same":2}`,
		`{"version":5.0}`,
		`{"version":5,"empty":{},"list":[],"null":null,"":0}`,
	} {
		items = append(items, core.KeyedSerializedItem{
			Key: fmt.Sprintf("unusual-%d", i), Item: core.SerializedItem{Version: 5, Data: []byte(text)},
		})
	}
	return append(items, core.KeyedSerializedItem{Key: "$deleted", Item: core.SerializedItem{
		Version: 5, Deleted: true, Data: []byte(`{"key":"$deleted","deleted":true,"version":5,"fromTheFuture":1}`),
	}})
}

func (f *fixture) wantRaw(kind core.DataKind, want core.KeyedSerializedItem) {
	f.Helper()
	data, found := f.h.ReadRaw(f.tester, f.prefix, kind, want.Key)
	if !found {
		f.Fatalf("the database does not have %s %s", kind, briefKey(want.Key))
	}
	if !bytes.Equal(data, want.Item.Data) {
		f.Fatalf("the database has %s for %s %s, want %s", brief(data), kind, briefKey(want.Key), brief(want.Item.Data))
	}
}

func testFidelityUpsert(f *fixture) {
	s := f.open()
	for _, kind := range allKinds() {
		for _, item := range unusual() {
			f.upsert(s, kind, item)
			f.wantRaw(kind, item)
			f.wantItem(s, kind, item)
		}
	}
}

func testFidelityInit(f *fixture) {
	s := f.open()
	f.init(s, collection(core.Segments, unusual()...), collection(core.Flags, unusual()...), collection(otherKind, unusual()...))
	for _, kind := range allKinds() {
		for _, item := range unusual() {
			f.wantRaw(kind, item)
		}
		f.wantAll(s, kind, unusual()...)
	}
}

func testFidelityRead(f *fixture) {
	s := f.open()
	for _, item := range unusual() {
		f.h.WriteRaw(f.tester, f.prefix, core.Flags, item.Key, item.Item.Data)
		f.wantItem(s, core.Flags, item)
	}
	f.wantAll(s, core.Flags, unusual()...)
}

// testReturnedBytes looks at what a store returned again after other calls, because a driver may use its buffers again.
func testReturnedBytes(f *fixture) {
	s := f.open()
	old, changed := numbered("returned", 20, 1), numbered("returned", 20, 2)
	f.init(s, collection(core.Flags, old...))
	single, _, err := s.Get(f.Context(), core.Flags, old[0].Key)
	if err != nil {
		f.Fatalf("Get: %v", err)
	}
	all, err := s.GetAll(f.Context(), core.Flags)
	if err != nil {
		f.Fatalf("GetAll: %v", err)
	}
	for _, item := range changed {
		f.upsert(s, core.Flags, item)
		f.wantItem(s, core.Flags, item)
	}
	f.wantAll(s, core.Flags, changed...)
	if !bytes.Equal(single.Data, old[0].Item.Data) {
		f.Errorf("what Get returned was %s and has become %s since: the store returns memory that it uses again",
			brief(old[0].Item.Data), brief(single.Data))
	}
	if d := differsInAll(all, old); d != "" {
		f.Errorf("what GetAll returned has changed since (%s): the store returns memory that it uses again", d)
	}
}
