//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package customstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/cleatdev/cleat/core"
)

// Store keeps items in a file. It implements [core.FeatureStoreCore] and is safe for concurrent use. Make one with [New].
type Store struct {
	path     string
	lifetime context.Context //nolint:containedctx // it ends with Close
	end      context.CancelFunc
	calls    sync.RWMutex // read-locked by calls under way, which Close waits for
}

var _ core.FeatureStoreCore = (*Store)(nil)

// document is what a file holds. Items are bytes and not JSON, because they have to come back as they were.
type document struct {
	Initialized bool
	Items       map[core.DataKind]map[string][]byte
}

// Init implements [core.FeatureStoreCore]. It is atomic.
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("customstore: %w", err)
	}
	return s.update(ctx, func(d *document) bool {
		d.Initialized = true
		for _, kind := range core.BuiltInKinds() {
			delete(d.Items, kind)
		}
		for _, collection := range data {
			delete(d.Items, collection.Kind)
		}
		for _, collection := range data {
			for _, item := range collection.Items {
				d.put(collection.Kind, item.Key, item.Item)
			}
		}
		return true
	})
}

// Get implements [core.FeatureStoreCore].
func (s *Store) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if err := core.ValidateKey(kind, key); err != nil {
		return core.SerializedItem{}, false, fmt.Errorf("customstore: %w", err)
	}
	d, err := s.view(ctx)
	data, found := d.Items[kind][key]
	return core.SerializedItem{Data: data}, found, err
}

// GetAll implements [core.FeatureStoreCore].
func (s *Store) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("customstore: %w", err)
	}
	d, err := s.view(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]core.KeyedSerializedItem, 0, len(d.Items[kind]))
	for key, data := range d.Items[kind] {
		all = append(all, core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Data: data}})
	}
	return all, nil
}

// Upsert implements [core.FeatureStoreCore].
func (s *Store) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (result core.UpsertResult, err error) {
	if err := core.ValidateKey(kind, key); err != nil {
		return core.UpsertResult{}, fmt.Errorf("customstore: %w", err)
	}
	err = s.update(ctx, func(d *document) (changed bool) {
		if data, found := d.Items[kind][key]; found {
			there := core.SerializedItem{Data: data}
			if parsed, err := there.Parse(kind, key); err == nil && parsed.Version() >= item.Version {
				result = core.UpsertResult{Item: there}
				return false
			}
		}
		d.put(kind, key, item)
		result = core.UpsertResult{Item: item, Written: true}
		return true
	})
	if err != nil {
		return core.UpsertResult{}, err
	}
	return result, nil
}

// Initialized implements [core.FeatureStoreCore].
func (s *Store) Initialized(ctx context.Context) (bool, error) {
	d, err := s.view(ctx)
	return d.Initialized, err
}

// Close implements [core.FeatureStoreCore].
func (s *Store) Close() error {
	s.end()
	s.calls.Lock()
	defer s.calls.Unlock()
	return nil
}

func (d *document) put(kind core.DataKind, key string, item core.SerializedItem) {
	if d.Items == nil {
		d.Items = map[core.DataKind]map[string][]byte{}
	}
	if d.Items[kind] == nil {
		d.Items[kind] = map[string][]byte{}
	}
	d.Items[kind][key] = item.Data
}

// read returns the empty document if there is no file.
func (s *Store) read() (d document, err error) {
	text, err := os.ReadFile(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return document{}, nil
	case err != nil:
		return document{}, fmt.Errorf("customstore: %w: %w", core.ErrUnavailable, err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return document{}, fmt.Errorf("customstore: %s: %w: %w", s.path, core.ErrCorrupt, err)
	}
	return d, nil
}

// replace puts another document in place of the one that is there. The caller has the lock.
func (s *Store) replace(d document) error {
	text, err := json.Marshal(d)
	if err == nil {
		err = os.WriteFile(s.path+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	if err != nil {
		return fmt.Errorf("customstore: %w: %w", refusal(err), err)
	}
	return nil
}

// refusal returns the sentinel for an error of writing.
func refusal(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return core.ErrReadOnly
	}
	return core.ErrUnavailable
}
