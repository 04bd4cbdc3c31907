package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

// Store keeps flags, segments and items of other kinds in a file. Make one with [New]; the zero value is not usable.
//
// It is safe for concurrent use. Besides [core.FeatureStoreCore] it implements [core.AvailabilityChecker],
// [core.Watcher], [core.ChangeSetApplier], [core.ItemsGetter] and [core.DiagnosticDescription].
type Store struct {
	db *database
}

var (
	_ core.FeatureStoreCore      = (*Store)(nil)
	_ core.AvailabilityChecker   = (*Store)(nil)
	_ core.Watcher               = (*Store)(nil)
	_ core.ChangeSetApplier      = (*Store)(nil)
	_ core.ItemsGetter           = (*Store)(nil)
	_ core.DiagnosticDescription = (*Store)(nil)
)

// New opens the database in the file path, and creates it if there is none; the directory must exist. Nil options mean
// the defaults. The context bounds the opening and nothing after it.
//
// What may go away is no reason to fail: a missing directory or file, a full disk, missing permissions, another process's
// lock, a file that is damaged or no database, which is left as it is. New then logs a warning, and every method tries
// again and fails with the reason, until it is gone. A database of something else, or of a newer version of cleat, is
// refused with [core.ErrIncompatible] and left as it is. A path of "" or ":memory:" or of a directory and options out of
// range are [core.ErrInvalid]; package memorystore has a store without a file.
func New(ctx context.Context, path string, opts *Options) (*Store, error) {
	db, err := open(ctx, path, opts,
		[]string{selectItem, selectItems, selectMetadata, selectStamps},
		[]string{selectItem, selectItems, upsertItem, replaceItem, deleteItem, addMetadata, selectDataVersion})
	if err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

const (
	selectItem  = `SELECT version, deleted, item FROM items WHERE prefix = ? AND kind = ? AND key = ?`
	selectItems = `SELECT version, deleted, item, key FROM items WHERE prefix = ? AND kind = ?`
	upsertItem  = `INSERT INTO items (prefix, kind, key, version, deleted, item, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET version = excluded.version, deleted = excluded.deleted, item = excluded.item,
			updated_at = excluded.updated_at
		WHERE excluded.version > items.version`
)

// Get implements [core.FeatureStoreCore].
func (s *Store) Get(ctx context.Context, kind core.DataKind, key string) (item core.SerializedItem, found bool, err error) {
	if err := core.ValidateKey(kind, key); err != nil {
		return core.SerializedItem{}, false, fmt.Errorf("sqlitestore: get: %w", err)
	}
	err = s.db.read(ctx, "get", func(ctx context.Context, p *pool) error {
		found = false
		return p.each(ctx, func(row *sql.Rows) error {
			found = true
			return row.Scan(&item.Version, &item.Deleted, &item.Data)
		}, selectItem, s.db.options.Prefix, string(kind), key)
	})
	if err != nil {
		return core.SerializedItem{}, false, err
	}
	return item, found, nil
}

// GetAll implements [core.FeatureStoreCore]. It sees one state of the database.
func (s *Store) GetAll(ctx context.Context, kind core.DataKind) (items []core.KeyedSerializedItem, err error) {
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("sqlitestore: get all: %w", err)
	}
	err = s.db.read(ctx, "get all", func(ctx context.Context, p *pool) error {
		items = nil
		return p.each(ctx, itemScanner(&items), selectItems, s.db.options.Prefix, string(kind))
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// keysPerQuery is how many items one query asks for.
const keysPerQuery = 500

// GetItems implements [core.ItemsGetter] with one query for each 500 keys.
func (s *Store) GetItems(ctx context.Context, kind core.DataKind, keys []string) (items []core.KeyedSerializedItem, err error) {
	for _, key := range keys {
		if err := core.ValidateKey(kind, key); err != nil {
			return nil, fmt.Errorf("sqlitestore: get items: %w", err)
		}
	}
	err = s.db.read(ctx, "get items", func(ctx context.Context, p *pool) error {
		items = make([]core.KeyedSerializedItem, 0, len(keys))
		for chunk := range slices.Chunk(keys, keysPerQuery) {
			if err := s.appendItems(ctx, p, &items, kind, chunk); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// appendItems appends what is there of the keys.
func (s *Store) appendItems(
	ctx context.Context, p *pool, items *[]core.KeyedSerializedItem, kind core.DataKind, keys []string,
) error {
	args := append(make([]any, 0, 2+len(keys)), s.db.options.Prefix, string(kind))
	for _, key := range keys {
		args = append(args, key)
	}
	query := selectItems + " AND key IN (?" + strings.Repeat(", ?", len(keys)-1) + ")"
	rows, err := p.db.QueryContext(context.WithoutCancel(ctx), query, args...)
	return eachOf(ctx, rows, err, itemScanner(items))
}

// itemScanner returns a function that appends a row of selectItems.
func itemScanner(items *[]core.KeyedSerializedItem) func(row *sql.Rows) error {
	return func(row *sql.Rows) error {
		var i core.KeyedSerializedItem
		err := row.Scan(&i.Item.Version, &i.Item.Deleted, &i.Item.Data, &i.Key)
		*items = append(*items, i)
		return err
	}
}

// Upsert implements [core.FeatureStoreCore]. The version that it compares with is that of the column, unless the JSON
// beside it is damaged.
func (s *Store) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (result core.UpsertResult, err error) {
	if err := core.ValidateKey(kind, key); err != nil {
		return core.UpsertResult{}, fmt.Errorf("sqlitestore: upsert: %w", err)
	}
	err = s.db.write(ctx, "upsert", func(ctx context.Context, tx transaction) error {
		result, err = s.upsert(ctx, tx, kind, key, item)
		return err
	})
	if err != nil {
		return core.UpsertResult{}, err
	}
	return result, nil
}

// ApplyChangeSet implements [core.ChangeSetApplier].
func (s *Store) ApplyChangeSet(
	ctx context.Context, changes []core.KindAndKeyedItem,
) (results []core.UpsertResult, err error) {
	for _, change := range changes {
		if err := core.ValidateKey(change.Kind, change.Key); err != nil {
			return nil, fmt.Errorf("sqlitestore: apply change set: %w", err)
		}
	}
	err = s.db.write(ctx, "apply change set", func(ctx context.Context, tx transaction) error {
		results = make([]core.UpsertResult, 0, len(changes))
		for _, change := range changes {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			result, err := s.upsert(ctx, tx, change.Kind, change.Key, change.Item)
			if err != nil {
				return err
			}
			results = append(results, result)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (s *Store) upsert(
	ctx context.Context, tx transaction, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	row := s.row(kind, key, item)
	written, err := tx.exec(ctx, upsertItem, row...)
	if err != nil {
		return core.UpsertResult{}, itemError(kind, key, item, err)
	}
	if written {
		return core.UpsertResult{Item: item, Written: true}, nil
	}
	var winner core.SerializedItem
	err = tx.queryRow(ctx, selectItem, s.db.options.Prefix, string(kind), key).
		Scan(&winner.Version, &winner.Deleted, &winner.Data)
	if err != nil {
		return core.UpsertResult{}, err
	}
	if _, err := core.ParseItem(winner.Data); err == nil {
		return core.UpsertResult{Item: winner}, nil
	}
	if _, err := tx.exec(ctx, replaceItem, row...); err != nil {
		return core.UpsertResult{}, itemError(kind, key, item, err)
	}
	return core.UpsertResult{Item: item, Written: true}, nil
}

// row returns the columns of the table items. The JSON is passed as text, because that is its type in the table.
func (s *Store) row(kind core.DataKind, key string, item core.SerializedItem) []any {
	return []any{
		s.db.options.Prefix, string(kind), key, item.Version, item.Deleted, string(item.Data),
		s.db.options.now().UnixMilli(),
	}
}

// Initialized implements [core.FeatureStoreCore].
func (s *Store) Initialized(ctx context.Context) (initialized bool, err error) {
	err = s.db.read(ctx, "initialized", func(ctx context.Context, p *pool) error {
		_, initialized, err = p.metadata(ctx, s.db.options.Prefix, initializedName)
		return err
	})
	return initialized && err == nil, err
}

// CheckAvailability implements [core.AvailabilityChecker]. It reads the first page of the file.
func (s *Store) CheckAvailability(ctx context.Context) error {
	return s.db.read(ctx, "check availability", func(ctx context.Context, p *pool) error {
		var version int
		return p.queryRow(ctx, selectVersion).Scan(&version)
	})
}

// DescribeConfiguration implements [core.DiagnosticDescription] with the name "SQLite".
func (s *Store) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.String("SQLite")
}

// Close implements [core.FeatureStoreCore]. If no other process has the file open, everything is in this one file afterwards.
func (s *Store) Close() error { return s.db.close() }
