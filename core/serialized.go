package core

import (
	"cmp"
	"fmt"
	"unicode/utf8"

	"github.com/cleatdev/cleat/internal/itemjson"
)

// SerializedItem is an item as a database adapter sees it. An adapter passes Data through untouched: it may come from
// another writer, with properties that this version of cleat does not know.
type SerializedItem struct {
	// Version is the item's version. In what an adapter is given it is always set. In what it returns it is 0 if the
	// database holds the version only inside the JSON.
	Version int
	// Deleted is true for a tombstone. In what an adapter is given it is always right. In what it returns it may be false
	// for a tombstone if the database holds the mark only inside the JSON.
	Deleted bool
	// Data is the item's JSON, of a tombstone too.
	Data []byte
}

// Parse makes an [Item] of what an adapter returned for the given kind and key. A version that the adapter knows counts
// more than the one inside the JSON. A live flag or segment whose JSON has another key is an error: it is another item, and
// must not be evaluated in this one's place. JSON without a key is accepted. An error is an [*ItemError] wrapping
// [ErrCorrupt].
func (s SerializedItem) Parse(kind DataKind, key string) (*Item, error) {
	meta, err := itemjson.Read(s.Data)
	deleted := meta.Deleted || s.Deleted
	// A key that is not UTF-8 is not compared, because JSON need not have it as it is.
	if err == nil && !deleted && (kind == Flags || kind == Segments) && meta.Key != "" && meta.Key != key && utf8.ValidString(key) {
		err = fmt.Errorf("it is the item %q, which is in the wrong place", abbreviate(meta.Key))
	}
	if err != nil {
		return nil, &ItemError{Kind: kind, Key: key, Size: len(s.Data), Err: fmt.Errorf("%w: %w", ErrCorrupt, err)}
	}
	return &Item{version: cmp.Or(s.Version, meta.Version), deleted: deleted, json: s.Data}, nil
}

// KeyedSerializedItem is a SerializedItem with its key.
type KeyedSerializedItem struct {
	Key  string
	Item SerializedItem
}

// SerializedCollection is a sequence of items of one kind, each key at most once. Of one Init, several collections may
// have the same kind: order holds between collections, within one there is none.
type SerializedCollection struct {
	Kind  DataKind
	Items []KeyedSerializedItem
}

// UpsertResult says how an upsert ended.
type UpsertResult struct {
	// Item is what is in the database for the key afterwards: the item that was given, or the one that had the same or a
	// greater version.
	Item SerializedItem
	// Written is true if Item is the one that was given and this call wrote it.
	Written bool
}

// ValidateInit returns an error wrapping [ErrInvalid] unless every collection has a valid kind, every item a key, and
// no key occurs twice in one kind. Adapters call it before they touch the database.
func ValidateInit(data []SerializedCollection) error {
	seen := make(map[DataKind]map[string]struct{}, len(data))
	for _, collection := range data {
		if err := collection.Kind.Validate(); err != nil {
			return err
		}
		keys := seen[collection.Kind]
		if keys == nil {
			keys = make(map[string]struct{}, len(collection.Items))
			seen[collection.Kind] = keys
		}
		for _, item := range collection.Items {
			if item.Key == "" {
				return fmt.Errorf("%w: an item of kind %q has an empty key", ErrInvalid, string(collection.Kind))
			}
			if _, twice := keys[item.Key]; twice {
				return fmt.Errorf("%w: key %q of kind %q occurs twice", ErrInvalid, abbreviate(item.Key), string(collection.Kind))
			}
			keys[item.Key] = struct{}{}
		}
	}
	return nil
}

// ValidateKey returns an error wrapping [ErrInvalid] unless kind is valid and key is not empty. Adapters call it before
// they touch the database.
func ValidateKey(kind DataKind, key string) error {
	if key == "" {
		return fmt.Errorf("%w: empty key of kind %q", ErrInvalid, string(kind))
	}
	return kind.Validate()
}
