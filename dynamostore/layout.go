package dynamostore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/cleatdev/cleat/core"
)

// Names of attributes.
const (
	namespaceAttribute = "namespace"
	keyAttribute       = "key"
	versionAttribute   = "version"
	itemAttribute      = "item"

	synchronizedOnAttribute = "synchronizedOn"
	lastVersionAttribute    = "lastVersion"
	includedAttribute       = "included"
	excludedAttribute       = "excluded"
)

// Namespaces, before the prefix.
const (
	initedName   = "$inited"
	changesName  = "$changes"
	metadataName = "big_segments_metadata"
	userName     = "big_segments_user"
)

// maxKey is how many bytes a sort key may have.
const maxKey = 1024

// keys makes the primary keys under one prefix.
type keys struct{ prefix string }

func (k keys) namespace(name string) string {
	if k.prefix == "" {
		return name
	}
	return k.prefix + ":" + name
}

func (k keys) items(kind core.DataKind) string { return k.namespace(string(kind)) }

// inited is the primary key of the initialised mark.
func (k keys) inited() primaryKey { return k.single(initedName) }

// changes is the primary key of the change marker.
func (k keys) changes() primaryKey { return k.single(changesName) }

func (k keys) metadata() primaryKey { return k.single(metadataName) }

func (k keys) single(name string) primaryKey {
	namespace := k.namespace(name)
	return primaryKey{namespace, namespace}
}

func (k keys) user(contextHash string) primaryKey {
	return primaryKey{k.namespace(userName), contextHash}
}

// primaryKey names an item of the table.
type primaryKey struct{ namespace, key string }

func (k primaryKey) attributes() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		namespaceAttribute: &types.AttributeValueMemberS{Value: k.namespace},
		keyAttribute:       &types.AttributeValueMemberS{Value: k.key},
	}
}

// possible reports whether the table can have an item with this key. If not, nothing needs to be asked.
func (k primaryKey) possible() bool {
	return k.key != "" && len(k.key) <= maxKey && utf8.ValidString(k.key)
}

// validateKey returns an [*core.ItemError] if an item cannot have the key.
func validateKey(kind core.DataKind, key string) error {
	switch {
	case len(key) > maxKey:
		reason := fmt.Errorf("%w: the key has %d bytes, the limit is %d", core.ErrTooLarge, len(key), maxKey)
		return &core.ItemError{Kind: kind, Key: key, Err: reason}
	case !utf8.ValidString(key):
		return &core.ItemError{Kind: kind, Key: key, Err: fmt.Errorf("%w: the key is not UTF-8", core.ErrInvalid)}
	}
	return nil
}

const (
	// maxItemSize is how many bytes DynamoDB accepts in an item.
	maxItemSize = 400 << 10

	// sizeSlack is how far DynamoDB's idea of a size may be from ours, since how it stores numbers is documented only
	// approximately. Within it, the server decides.
	sizeSlack = 16
)

// attributes is an item as the driver has it.
type attributes = map[string]types.AttributeValue

func marshalItem(key primaryKey, item core.SerializedItem) attributes {
	all := key.attributes()
	all[versionAttribute] = &types.AttributeValueMemberN{Value: strconv.Itoa(item.Version)}
	all[itemAttribute] = &types.AttributeValueMemberS{Value: string(item.Data)}
	return all
}

// unmarshalItem returns an item as it is, and whether its version can be read. Binary values are not of the layout, but
// shown, so that their reader can say what is wrong.
func unmarshalItem(all attributes) (item core.SerializedItem, hasVersion bool) {
	if number, ok := all[versionAttribute].(*types.AttributeValueMemberN); ok {
		version, err := strconv.Atoi(number.Value)
		item.Version, hasVersion = version, err == nil
	}
	switch value := all[itemAttribute].(type) {
	case *types.AttributeValueMemberS:
		item.Data = []byte(value.Value)
	case *types.AttributeValueMemberB:
		item.Data = value.Value
	}
	return item, hasVersion
}

// keeps returns the stored item, and whether it stays when one of the given version is upserted.
func keeps(stored attributes, version int) (core.SerializedItem, bool) {
	item, hasVersion := unmarshalItem(stored)
	if !hasVersion || item.Version < version {
		return item, false
	}
	_, err := core.ParseItem(item.Data)
	return item, err == nil
}

// equalItem reports whether the table has exactly the item that marshalItem would make.
func equalItem(stored attributes, want core.SerializedItem) bool {
	const attributeCount = 4
	version, isNumber := stored[versionAttribute].(*types.AttributeValueMemberN)
	data, isString := stored[itemAttribute].(*types.AttributeValueMemberS)
	return len(stored) == attributeCount && isNumber && isString &&
		version.Value == strconv.Itoa(want.Version) && data.Value == string(want.Data)
}

// validateItem returns an error if the item cannot be stored. If it concerns no other item, it is an [*core.ItemError].
func validateItem(namespace string, kind core.DataKind, key string, item core.SerializedItem) error {
	if err := core.ValidateKey(kind, key); err != nil {
		return fmt.Errorf("dynamostore: %w", err)
	}
	if len(item.Data) == 0 {
		return fmt.Errorf("dynamostore: %w: item %.100q of kind %q has no JSON", core.ErrInvalid, key, string(kind))
	}
	if err := validateKey(kind, key); err != nil {
		return fmt.Errorf("dynamostore: %w", err)
	}
	if !utf8.Valid(item.Data) {
		reason := fmt.Errorf("%w: the JSON is not UTF-8", core.ErrInvalid)
		return fmt.Errorf("dynamostore: %w", &core.ItemError{Kind: kind, Key: key, Size: len(item.Data), Err: reason})
	}
	if itemSize(primaryKey{namespace, key}, item) > maxItemSize+sizeSlack {
		return tooLarge(namespace, kind, key, item)
	}
	return nil
}

// isItemError reports whether err stops one item only.
func isItemError(err error) bool {
	var itemErr *core.ItemError
	return errors.As(err, &itemErr)
}

func tooLarge(namespace string, kind core.DataKind, key string, item core.SerializedItem) error {
	size := itemSize(primaryKey{namespace, key}, item)
	reason := fmt.Errorf("%w: with its keys and attribute names it has %d bytes, the limit of DynamoDB is %d",
		core.ErrTooLarge, size, maxItemSize)
	return fmt.Errorf("dynamostore: %w", &core.ItemError{Kind: kind, Key: key, Size: len(item.Data), Err: reason})
}

// borderline reports whether the server may find the item too large.
func borderline(key primaryKey, item core.SerializedItem) bool {
	return itemSize(key, item) > maxItemSize-sizeSlack
}

// itemSize is the size of an item by DynamoDB's rules: the UTF-8 bytes of all attribute names and values.
func itemSize(key primaryKey, item core.SerializedItem) int {
	const names = len(namespaceAttribute) + len(keyAttribute) + len(versionAttribute) + len(itemAttribute)
	return names + len(key.namespace) + len(key.key) + numberSize(item.Version) + len(item.Data)
}

// numberSize is the approximate size of a number: a byte, one for each two significant digits, and one for a minus sign.
func numberSize(n int) int {
	digits := strings.TrimRight(strings.TrimLeft(strconv.Itoa(n), "-"), "0")
	size := 1 + (len(digits)+1)/2
	if n < 0 {
		size++
	}
	return size
}
