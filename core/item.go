package core

import (
	"fmt"
	"sync/atomic"

	"github.com/launchdarkly/go-jsonstream/v3/jwriter"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/internal/itemjson"
)

// Item is one version of one flag, segment, or item of another kind: its JSON, with properties that this version of
// cleat does not know kept as they were, and the version and the deleted mark read from it. The model that the
// evaluator works on is decoded when it is first asked for and then kept.
//
// An Item is immutable and safe for concurrent use. Make one with [ParseItem], [NewFlag], [NewSegment] or
// [NewTombstone]; the zero value is a live item of version 0 without JSON, which no store accepts.
type Item struct {
	version int
	deleted bool
	json    []byte
	model   atomic.Pointer[model]
}

// model is the decoded form of an Item, or why it has none. One Item belongs to one kind, so one field is set.
type model struct {
	flag    *ldmodel.FeatureFlag
	segment *ldmodel.Segment
	err     error
}

// ParseItem makes an item from its JSON, which must be an object; "version" (an integer, 0 if absent) and "deleted"
// (false if absent) are read from it, and the whole text is checked to be JSON. The item keeps data, which must not be
// changed afterwards. An error wraps [ErrCorrupt].
//
// Whether the object is a valid flag or segment is found out when [Item.Flag] or [Item.Segment] is called.
func ParseItem(data []byte) (*Item, error) {
	meta, err := itemjson.Read(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return &Item{version: meta.Version, deleted: meta.Deleted, json: data}, nil
}

// ParseEvaluable makes an item of the given kind like [ParseItem], and returns the error of [Item.Validate] if it has one. Most flags
// and segments are read only once for both.
func ParseEvaluable(kind DataKind, data []byte) (*Item, error) {
	if meta, ok := readOrdinary(kind, data); ok {
		return &Item{version: meta.Version, deleted: meta.Deleted, json: data}, nil
	}
	item, err := ParseItem(data)
	if err == nil {
		err = item.Validate(kind)
	}
	if err != nil {
		return nil, err
	}
	return item, nil
}

// readOrdinary reads the metadata of a flag or segment that can be evaluated. If ok is false, nothing is known.
func readOrdinary(kind DataKind, data []byte) (meta itemjson.Metadata, ok bool) {
	switch kind {
	case Flags:
		return itemjson.ReadFlag(data)
	case Segments:
		return itemjson.ReadSegment(data)
	default:
		return itemjson.Metadata{}, false
	}
}

// NewFlag makes an item from a flag, which must not be changed afterwards. A flag whose Deleted field is set becomes a
// tombstone.
func NewFlag(flag *ldmodel.FeatureFlag) *Item {
	if flag.Deleted {
		return NewTombstone(Flags, flag.Key, flag.Version)
	}
	w := jwriter.NewWriter()
	ldmodel.MarshalFeatureFlagToJSONWriter(*flag, &w)
	item := &Item{version: flag.Version, json: w.Bytes()}
	item.model.Store(&model{flag: flag})
	return item
}

// NewSegment makes an item from a segment, which must not be changed afterwards. A segment whose Deleted field is set
// becomes a tombstone.
func NewSegment(segment *ldmodel.Segment) *Item {
	if segment.Deleted {
		return NewTombstone(Segments, segment.Key, segment.Version)
	}
	w := jwriter.NewWriter()
	ldmodel.MarshalSegmentToJSONWriter(*segment, &w)
	item := &Item{version: segment.Version, json: w.Bytes()}
	item.model.Store(&model{segment: segment})
	return item
}

// NewTombstone makes the item that stands for a deleted one. For [Flags] and [Segments] its JSON is that of an empty,
// deleted model with every property, because readers in other languages fail on a property that is missing; for other
// kinds it is {"key":…,"version":…,"deleted":true}. Readers of items accept any JSON with "deleted":true as a tombstone.
func NewTombstone(kind DataKind, key string, version int) *Item {
	w := jwriter.NewWriter()
	switch kind {
	case Flags:
		ldmodel.MarshalFeatureFlagToJSONWriter(ldmodel.FeatureFlag{Key: key, Version: version, Deleted: true}, &w)
	case Segments:
		ldmodel.MarshalSegmentToJSONWriter(ldmodel.Segment{Key: key, Version: version, Deleted: true}, &w)
	default:
		obj := w.Object()
		obj.Name("key").String(key)
		obj.Name("version").Int(version)
		obj.Name("deleted").Bool(true)
		obj.End()
	}
	return &Item{version: version, deleted: true, json: w.Bytes()}
}

// Version returns the item's version. Of two items with the same kind and key, the one with the greater version is the
// newer one.
func (i *Item) Version() int { return i.version }

// Deleted reports whether the item is a tombstone.
func (i *Item) Deleted() bool { return i.deleted }

// JSON returns the item's JSON, which must not be changed.
func (i *Item) JSON() []byte { return i.json }

// Serialized returns the item, which is of the given kind and key, as a [FeatureStoreCore] takes it: with its JSON as it
// is, but for a deleted flag or segment with that of [NewTombstone], so that a short one that arrived does not get into a
// database.
func (i *Item) Serialized(kind DataKind, key string) SerializedItem {
	data := i.json
	if i.deleted && (kind == Flags || kind == Segments) {
		data = NewTombstone(kind, key, i.version).json
	}
	return SerializedItem{Version: i.version, Deleted: i.deleted, Data: data}
}

// Flag returns the item as a flag, which must not be changed. The first call decodes it; later calls cost a pointer
// read. It returns an error wrapping [ErrCorrupt] if the JSON is not that of a flag, and one wrapping [ErrInvalid] for a
// tombstone.
func (i *Item) Flag() (*ldmodel.FeatureFlag, error) {
	if m := i.model.Load(); m != nil && m.flag != nil {
		return m.flag, nil
	}
	m := i.decode(func() (*model, error) {
		flag, err := ldmodel.NewJSONDataModelSerialization().UnmarshalFeatureFlag(i.json)
		compactFlag(&flag)
		return &model{flag: &flag}, err
	})
	if m.flag == nil && m.err == nil {
		return nil, fmt.Errorf("%w: the item is not a flag", ErrInvalid)
	}
	return m.flag, m.err
}

// Segment returns the item as a segment, in the way of [Item.Flag].
func (i *Item) Segment() (*ldmodel.Segment, error) {
	if m := i.model.Load(); m != nil && m.segment != nil {
		return m.segment, nil
	}
	m := i.decode(func() (*model, error) {
		segment, err := ldmodel.NewJSONDataModelSerialization().UnmarshalSegment(i.json)
		compactSegment(&segment)
		return &model{segment: &segment}, err
	})
	if m.segment == nil && m.err == nil {
		return nil, fmt.Errorf("%w: the item is not a segment", ErrInvalid)
	}
	return m.segment, m.err
}

// Validate reports whether the item can be evaluated, if its kind is that of flags or of segments: the error is the one that
// [Item.Flag] or [Item.Segment] would return. It keeps no model, which takes several times the memory of the JSON, and makes one
// only of JSON that is out of the ordinary, or broken. Tombstones and items of other kinds are valid.
func (i *Item) Validate(kind DataKind) error {
	probe := i
	if i.model.Load() == nil {
		if _, ok := readOrdinary(kind, i.json); ok {
			return nil
		}
		probe = &Item{json: i.json}
	}
	var err error
	switch {
	case i.deleted:
	case kind == Flags:
		_, err = probe.Flag()
	case kind == Segments:
		_, err = probe.Segment()
	}
	return err
}

// decode returns the item's model, and decodes it if that has not been done yet. Callers that come at once may each decode; all get
// the model that was kept first.
func (i *Item) decode(unmarshal func() (*model, error)) *model {
	if m := i.model.Load(); m != nil {
		return m
	}
	if i.deleted {
		return &model{err: fmt.Errorf("%w: the item is deleted", ErrInvalid)}
	}
	m, err := unmarshal()
	if err != nil {
		m = &model{err: fmt.Errorf("%w: %w", ErrCorrupt, err)}
	}
	if !i.model.CompareAndSwap(nil, m) {
		return i.model.Load()
	}
	return m
}

// KeyedItem is an item with its key.
type KeyedItem struct {
	Key  string
	Item *Item
}

// Collection is a sequence of items of one kind, each key at most once.
type Collection struct {
	Kind  DataKind
	Items []KeyedItem
}
