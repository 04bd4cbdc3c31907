package core

import (
	"fmt"
	"strings"
)

// DataKind names a collection of items: the set of kinds is open, and any name that passes [DataKind.Validate] is a
// kind. A database adapter uses the name as it is in its keys, so it is part of the database layout.
//
// Two kinds are the same if their names are. The zero value is no kind and is refused with [ErrInvalid].
type DataKind string

// The kinds that the evaluator knows. Their names are fixed by the database layouts that cleat shares with
// LaunchDarkly's SDKs and Relay Proxy.
const (
	// Flags is the kind of feature flags.
	Flags DataKind = "features"
	// Segments is the kind of segments.
	Segments DataKind = "segments"
)

// BuiltInKinds returns the kinds that every Init replaces, also when it is given no collection of them: segments
// first, because flags refer to them.
func BuiltInKinds() []DataKind {
	return []DataKind{Segments, Flags}
}

// Validate returns an error wrapping [ErrInvalid] unless the kind's name consists of ASCII letters, digits, '_', '-'
// and '.', is at most 64 bytes long, and does not begin with "big_segments", which the layouts reserve. Names of this
// form cannot collide with another key that an adapter keeps under the same prefix.
func (k DataKind) Validate() error {
	const maxLength = 64
	if k == "" || len(k) > maxLength {
		return fmt.Errorf("%w: data kind %.80q must have 1 to %d characters", ErrInvalid, string(k), maxLength)
	}
	if strings.HasPrefix(string(k), "big_segments") {
		return fmt.Errorf("%w: data kind %q: names that begin with big_segments are reserved", ErrInvalid, string(k))
	}
	for i := range len(k) {
		c := k[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' {
			continue
		}
		return fmt.Errorf("%w: data kind %q may have only letters, digits, '_', '-' and '.'", ErrInvalid, string(k))
	}
	return nil
}
