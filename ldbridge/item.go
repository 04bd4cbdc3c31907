package ldbridge

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	"github.com/cleatdev/cleat/core"
)

// envelope is the JSON object in which an item is stored that is none itself.
type envelope struct {
	Content []byte `json:"$ldbridge"`
	Version int    `json:"version"`
	Deleted bool   `json:"deleted"`
}

// envelopeStart is how every envelope begins.
const envelopeStart = `{"$ldbridge":`

// encode returns the item that stands for d in a store. Flags, segments and everything else that is a JSON object are
// stored as they are, so that other SDKs and Relay Proxy can read them; the rest is put into an envelope.
func encode(d ldstoretypes.SerializedItemDescriptor) (*core.Item, error) {
	if !bytes.HasPrefix(d.SerializedItem, []byte(envelopeStart)) {
		if item, err := core.ParseItem(d.SerializedItem); err == nil {
			return item, nil
		}
	}
	wrapped, err := json.Marshal(envelope{Content: d.SerializedItem, Version: d.Version, Deleted: d.Deleted})
	if err != nil {
		return nil, fmt.Errorf("ldbridge: wrapping an item: %w", err)
	}
	return core.ParseItem(wrapped)
}

// decode returns what the SDK is to get for a stored item. What cannot be read is passed on as it is: the SDK decides what
// to do with it.
func decode(kind core.DataKind, key string, stored core.SerializedItem) ldstoretypes.SerializedItemDescriptor {
	d := ldstoretypes.SerializedItemDescriptor{
		Version: stored.Version, Deleted: stored.Deleted, SerializedItem: stored.Data,
	}
	if item, err := stored.Parse(kind, key); err == nil {
		d.Version, d.Deleted = item.Version(), item.Deleted()
	}
	if bytes.HasPrefix(stored.Data, []byte(envelopeStart)) {
		var wrapped envelope
		if err := json.Unmarshal(stored.Data, &wrapped); err == nil {
			d.SerializedItem = wrapped.Content
		}
	}
	return d
}

// stored returns an item as the database gets it: as the SDK has serialised it, tombstones included.
func stored(item *core.Item) core.SerializedItem {
	return core.SerializedItem{Version: item.Version(), Deleted: item.Deleted(), Data: item.JSON()}
}
