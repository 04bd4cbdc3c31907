package dataorder

import (
	"bytes"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
)

// Ref names an item.
type Ref struct {
	Kind core.DataKind
	Key  string
}

// Dependencies returns what the item refers to, each once and in the order of its JSON: of a flag its prerequisites and
// the segments that its rules ask for, of a segment the segments that its rules ask for. Items of other kinds,
// tombstones and items that cannot be decoded refer to nothing.
func Dependencies(kind core.DataKind, item *core.Item) []Ref {
	if item == nil || item.Deleted() || !mayRefer(item.JSON()) {
		return nil
	}
	var refs refList
	switch kind {
	case core.Flags:
		if flag, err := item.Flag(); err == nil {
			refs.addFlag(flag)
		}
	case core.Segments:
		if segment, err := item.Segment(); err == nil {
			for i := range segment.Rules {
				refs.addClauses(segment.Rules[i].Clauses)
			}
		}
	}
	return refs
}

var (
	segmentMatch  = []byte(ldmodel.OperatorSegmentMatch)
	prerequisites = []byte(`"prerequisites"`)
	escape        = []byte(`\u`)
)

// mayRefer reports false if an item with the JSON refers to nothing, as most do. Decoding all items to find that out would
// take a hundred times as long, and keep the models of flags that are not evaluated in memory.
func mayRefer(json []byte) bool {
	if bytes.Contains(json, segmentMatch) || bytes.Contains(json, escape) { // an escape can hide either name
		return true
	}
	for {
		_, value, found := bytes.Cut(json, prerequisites)
		if !found {
			return false
		}
		if !startsWithEmptyList(value) {
			return true
		}
		json = value
	}
}

// startsWithEmptyList reports whether the JSON after a property's name says that it is an empty list.
func startsWithEmptyList(json []byte) bool {
	for _, char := range []byte(":[]") {
		json = bytes.TrimLeft(json, " \t\r\n")
		if len(json) == 0 || json[0] != char {
			return false
		}
		json = json[1:]
	}
	return true
}

// refList is short, so that searching it is cheaper than a map.
type refList []Ref

func (r *refList) addFlag(flag *ldmodel.FeatureFlag) {
	for i := range flag.Prerequisites {
		r.add(Ref{core.Flags, flag.Prerequisites[i].Key})
	}
	for i := range flag.Rules {
		r.addClauses(flag.Rules[i].Clauses)
	}
}

func (r *refList) addClauses(clauses []ldmodel.Clause) {
	for i := range clauses {
		if clauses[i].Op != ldmodel.OperatorSegmentMatch {
			continue
		}
		for _, value := range clauses[i].Values {
			if value.IsString() {
				r.add(Ref{core.Segments, value.StringValue()})
			}
		}
	}
}

func (r *refList) add(ref Ref) {
	for _, known := range *r {
		if known == ref {
			return
		}
	}
	*r = append(*r, ref)
}
