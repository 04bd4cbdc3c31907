package dynamostore

import (
	"fmt"
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
