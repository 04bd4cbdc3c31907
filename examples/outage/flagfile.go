package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// flagFile is a flag file, decoded.
type flagFile struct {
	Flags    map[string]ldmodel.FeatureFlag `json:"flags"`
	Segments map[string]ldmodel.Segment     `json:"segments"`
}

func parseFlagFile(data []byte) (flagFile, error) {
	var file flagFile
	if err := json.Unmarshal(data, &file); err != nil {
		return flagFile{}, fmt.Errorf("flag file: %w", err)
	}
	return file, nil
}

// updated returns the flag file after an update that changes every flag and segment: each has a version greater by one,
// most flags have other results, and every tenth is switched on or off. A store that holds a part of the update cannot
// be mistaken for one that holds all or nothing of it.
func (f flagFile) updated() ([]byte, error) {
	next := flagFile{Flags: maps.Clone(f.Flags), Segments: maps.Clone(f.Segments)}
	for i, key := range slices.Sorted(maps.Keys(f.Flags)) {
		flag := f.Flags[key]
		flag.Version++
		if i%10 == 0 {
			flag.On = !flag.On
		}
		variations := len(flag.Variations)
		flag.OffVariation = nextVariation(flag.OffVariation, variations)
		flag.Fallthrough.Variation = nextVariation(flag.Fallthrough.Variation, variations)
		shares := slices.Clone(flag.Fallthrough.Rollout.Variations)
		for j := range shares {
			shares[j].Variation = (shares[j].Variation + 1) % variations
		}
		flag.Fallthrough.Rollout.Variations = shares
		next.Flags[key] = flag
	}
	for key, segment := range f.Segments {
		segment.Version++
		segment.Included = segment.Included[len(segment.Included)/2:]
		next.Segments[key] = segment
	}
	return json.Marshal(next)
}

// nextVariation returns the index that follows, or none for none.
func nextVariation(index ldvalue.OptionalInt, variations int) ldvalue.OptionalInt {
	if !index.IsDefined() {
		return index
	}
	return ldvalue.NewOptionalInt((index.IntValue() + 1) % variations)
}

// valueType says which of the client's variation methods evaluates a flag.
type valueType string

const (
	typeBool   valueType = "bool"
	typeInt    valueType = "int"
	typeFloat  valueType = "float"
	typeString valueType = "string"
	typeJSON   valueType = "json"
)

// question is what an application knows of a flag: its key and the type of its value.
type question struct {
	Key  string    `json:"key"`
	Type valueType `json:"type"`
}

// questions returns one question for each flag in the order of their keys.
func (f flagFile) questions() []question {
	questions := make([]question, 0, len(f.Flags))
	for _, key := range slices.Sorted(maps.Keys(f.Flags)) {
		questions = append(questions, question{Key: key, Type: typeOf(f.Flags[key].Variations)})
	}
	return questions
}

// typeOf returns the type that all variations have. Numbers are of type int only if all are whole.
func typeOf(variations []ldvalue.Value) valueType {
	result := typeJSON
	for _, v := range variations {
		switch {
		case v.IsBool():
			return typeBool
		case v.IsString():
			return typeString
		case v.IsNumber() && !v.IsInt():
			return typeFloat
		case v.IsNumber():
			result = typeInt
		}
	}
	return result
}
