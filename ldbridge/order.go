package ldbridge

import (
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
)

// encodeAll returns what an Init of the SDK is to write. The SDK's order within one collection matters to it, because flags
// refer to each other; to a store of cleat's, order is between collections only, so that they become several.
func (s *dataStore) encodeAll(data []ldstoretypes.SerializedCollection) ([]core.SerializedCollection, error) {
	parsed := make([]core.Collection, len(data))
	for i, collection := range data {
		parsed[i].Kind = core.DataKind(collection.Kind.GetName())
		for _, keyed := range collection.Items {
			if keyed.Key == "" {
				s.loggers.Errorf("ldbridge: not stored: an item of kind %q that has an empty key", parsed[i].Kind)
				continue
			}
			item, err := encode(keyed.Item)
			if err != nil {
				return nil, err
			}
			parsed[i].Items = append(parsed[i].Items, core.KeyedItem{Key: keyed.Key, Item: item})
		}
	}
	sorted := dataorder.Sort(parsed)
	encoded := make([]core.SerializedCollection, len(sorted))
	for i, collection := range sorted {
		encoded[i] = core.SerializedCollection{
			Kind: collection.Kind, Items: make([]core.KeyedSerializedItem, len(collection.Items)),
		}
		for j, keyed := range collection.Items {
			encoded[i].Items[j] = core.KeyedSerializedItem{Key: keyed.Key, Item: stored(keyed.Item)}
		}
	}
	return encoded, nil
}
