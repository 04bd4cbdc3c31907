package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

const (
	replaceItem = `INSERT INTO items (prefix, kind, key, version, deleted, item, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET version = excluded.version, deleted = excluded.deleted, item = excluded.item,
			updated_at = excluded.updated_at`
	deleteItem = `DELETE FROM items WHERE prefix = ? AND kind = ? AND key = ?`
)

// Init implements [core.FeatureStoreCore]. It is one transaction, and rows that are as they should be are not written.
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("sqlitestore: init: %w", err)
	}
	var refused []error
	err := s.db.write(ctx, "init", func(ctx context.Context, tx transaction) error {
		refused = nil
		for kind, items := range itemsByKind(data) {
			tooLarge, err := s.replaceKind(ctx, tx, kind, items)
			if err != nil {
				return err
			}
			refused = append(refused, tooLarge...)
		}
		_, err := tx.exec(ctx, addMetadata, s.db.options.Prefix, initializedName, "1", s.db.options.now().UnixMilli())
		return err
	})
	if err == nil && len(refused) > 0 {
		return fmt.Errorf("sqlitestore: init in %s: %w", s.db.path, errors.Join(refused...))
	}
	return err
}

// itemsByKind returns the items of every kind that Init replaces.
func itemsByKind(data []core.SerializedCollection) map[core.DataKind][]core.KeyedSerializedItem {
	byKind := make(map[core.DataKind][]core.KeyedSerializedItem)
	for _, kind := range core.BuiltInKinds() {
		byKind[kind] = nil
	}
	for _, collection := range data {
		byKind[collection.Kind] = append(byKind[collection.Kind], collection.Items...)
	}
	return byKind
}

// replaceKind makes the rows of a kind equal to items. It returns an error for each item that is too large to be stored.
func (s *Store) replaceKind(
	ctx context.Context, tx transaction, kind core.DataKind, items []core.KeyedSerializedItem,
) (tooLarge []error, err error) {
	changed, leftover, err := s.compareKind(ctx, tx, kind, items)
	if err != nil {
		return nil, err
	}
	for _, item := range changed {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		_, err := tx.exec(ctx, replaceItem, s.row(kind, item.Key, item.Item)...)
		err = itemError(kind, item.Key, item.Item, err)
		switch {
		case errors.Is(err, core.ErrTooLarge):
			tooLarge = append(tooLarge, err)
		case err != nil:
			return nil, err
		}
	}
	for _, key := range leftover {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if _, err := tx.exec(ctx, deleteItem, s.db.options.Prefix, string(kind), key); err != nil {
			return nil, err
		}
	}
	return tooLarge, nil
}

// compareKind returns which items differ from what is in the database, and which keys in it are not among the items.
func (s *Store) compareKind(
	ctx context.Context, tx transaction, kind core.DataKind, items []core.KeyedSerializedItem,
) (changed []core.KeyedSerializedItem, leftover []string, err error) {
	wanted := make(map[string]core.SerializedItem, len(items))
	for _, item := range items {
		wanted[item.Key] = item.Item
	}
	equal := make(map[string]struct{})
	err = tx.each(ctx, func(row *sql.Rows) error {
		var there core.SerializedItem
		var data sql.RawBytes
		var key string
		if err := row.Scan(&there.Version, &there.Deleted, &data, &key); err != nil {
			return err
		}
		want, found := wanted[key]
		switch {
		case !found:
			leftover = append(leftover, key)
		case there.Version == want.Version && there.Deleted == want.Deleted && bytes.Equal(data, want.Data):
			equal[key] = struct{}{}
		}
		return nil
	}, selectItems, s.db.options.Prefix, string(kind))
	for _, item := range items {
		if _, same := equal[item.Key]; !same {
			changed = append(changed, item)
		}
	}
	return changed, leftover, err
}

// itemError translates an error about one item.
func itemError(kind core.DataKind, key string, item core.SerializedItem, err error) error {
	if err = translate(err); errors.Is(err, core.ErrTooLarge) {
		return &core.ItemError{Kind: kind, Key: key, Size: len(item.Data), Err: err}
	}
	return err
}
