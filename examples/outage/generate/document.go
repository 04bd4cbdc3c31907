package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// seed fixes everything that is drawn. Another seed makes another file.
const seed = 20260401

// document returns the whole flag file: one line for each flag and segment, so that a change shows as one line.
func document() ([]byte, error) {
	r := newRandom(seed)
	segments := buildSegments(r)
	segmentKeys := make([]string, 0, len(segments))
	for _, segment := range segments {
		segmentKeys = append(segmentKeys, segment.Key)
	}
	var flags []ldmodel.FeatureFlag
	for _, a := range catalogue() {
		for _, e := range a.entries {
			flags = append(flags, buildFlag(r, a.name, e, segmentKeys))
		}
	}

	var out bytes.Buffer
	out.WriteString("{\n")
	if err := writeItems(&out, "flags", flags, func(f ldmodel.FeatureFlag) string { return f.Key }); err != nil {
		return nil, err
	}
	out.WriteString(",\n")
	if err := writeItems(&out, "segments", segments, func(s ldmodel.Segment) string { return s.Key }); err != nil {
		return nil, err
	}
	out.WriteString("\n}\n")
	return out.Bytes(), nil
}

func writeItems[T json.Marshaler](out *bytes.Buffer, name string, items []T, keyOf func(T) string) error {
	fmt.Fprintf(out, "  %q: {\n", name)
	for i, item := range items {
		data, err := item.MarshalJSON()
		if err != nil {
			return fmt.Errorf("%s %q: %w", name, keyOf(item), err)
		}
		if i > 0 {
			out.WriteString(",\n")
		}
		fmt.Fprintf(out, "    %q: %s", keyOf(item), data)
	}
	out.WriteString("\n  }")
	return nil
}
