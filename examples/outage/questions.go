package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

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

// questions returns one question for each flag in the order of their keys.
func (f flagFile) questions() []question {
	questions := make([]question, 0, len(f.Flags))
	for key, flag := range f.Flags {
		questions = append(questions, question{Key: key, Type: typeOf(flag.Variations)})
	}
	slices.SortFunc(questions, func(a, b question) int { return strings.Compare(a.Key, b.Key) })
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
