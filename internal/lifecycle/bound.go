package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

// Limits says how long a call of a store may take. The zero value of each field means its default.
type Limits struct {
	Read    time.Duration // single items, a membership, metadata, the mark, or a check; 0 means 2 s
	ReadAll time.Duration // a kind; 0 means 10 s
	Write   time.Duration // an upsert, a change set or a patch; 0 means 5 s
	Init    time.Duration // 0 means 60 s
}

// Defaults of [Limits].
const (
	DefaultRead    = 2 * time.Second
	DefaultReadAll = 10 * time.Second
	DefaultWrite   = 5 * time.Second
	DefaultInit    = 60 * time.Second
)

func (l Limits) withDefaults() Limits {
	return Limits{
		Read: cmp.Or(l.Read, DefaultRead), ReadAll: cmp.Or(l.ReadAll, DefaultReadAll),
		Write: cmp.Or(l.Write, DefaultWrite), Init: cmp.Or(l.Init, DefaultInit),
	}
}

// ErrClosedElsewhere is the error of calls of a store that was closed by another owner than its [Store] or [BigSegments].
var ErrClosedElsewhere = fmt.Errorf("%w: the store was closed by another owner", core.ErrUnavailable)

// Store is a [core.FeatureStoreCore] of which every call ends in time: see [Call]. It has all optional abilities; where the
// store has not, it does what the ability's documentation says about its absence. Make one with [Bound].
type Store struct {
	*Group
	core   core.FeatureStoreCore
	limits Limits
}

var (
	_ core.FeatureStoreCore      = (*Store)(nil)
	_ core.AvailabilityChecker   = (*Store)(nil)
	_ core.Watcher               = (*Store)(nil)
	_ core.ChangeSetApplier      = (*Store)(nil)
	_ core.ItemsGetter           = (*Store)(nil)
	_ core.DiagnosticDescription = (*Store)(nil)
)

// Bound returns a store whose calls are calls of the group. The store belongs to it from then on.
func Bound(g *Group, store core.FeatureStoreCore, limits Limits) *Store {
	return &Store{Group: g, core: store, limits: limits.withDefaults()}
}

// bounded makes one call of a store. What a store says that was closed by another owner is [ErrClosedElsewhere].
func bounded[T any](
	ctx context.Context, g *Group, name string, limit time.Duration, op func(context.Context) (T, error),
) (T, error) {
	result, err := Call(ctx, g, name, limit, op)
	if errors.Is(err, core.ErrClosed) && !g.Closed() {
		err = fmt.Errorf("%s: %w", g.name, ErrClosedElsewhere)
	}
	return result, err
}

// outcome is bounded for calls that return nothing but an error.
func outcome(ctx context.Context, g *Group, name string, limit time.Duration, op func(context.Context) error) error {
	_, err := bounded(ctx, g, name, limit, func(ctx context.Context) (struct{}, error) { return struct{}{}, op(ctx) })
	return err
}

// Init implements [core.FeatureStoreCore].
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	return outcome(ctx, s.Group, "Init", s.limits.Init, func(ctx context.Context) error { return s.core.Init(ctx, data) })
}

// stored is what a store has of a key.
type stored struct {
	item  core.SerializedItem
	found bool
}

// Get implements [core.FeatureStoreCore].
func (s *Store) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	got, err := bounded(ctx, s.Group, "Get", s.limits.Read, func(ctx context.Context) (stored, error) {
		item, found, err := s.core.Get(ctx, kind, key)
		return stored{item, found}, err
	})
	return got.item, got.found, err
}

// GetAll implements [core.FeatureStoreCore].
func (s *Store) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	return bounded(ctx, s.Group, "GetAll", s.limits.ReadAll, func(ctx context.Context) ([]core.KeyedSerializedItem, error) {
		return s.core.GetAll(ctx, kind)
	})
}

// Upsert implements [core.FeatureStoreCore].
func (s *Store) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	return bounded(ctx, s.Group, "Upsert", s.limits.Write, func(ctx context.Context) (core.UpsertResult, error) {
		return s.core.Upsert(ctx, kind, key, item)
	})
}

// Initialized implements [core.FeatureStoreCore].
func (s *Store) Initialized(ctx context.Context) (bool, error) {
	return bounded(ctx, s.Group, "Initialized", s.limits.Read, s.core.Initialized)
}

// CheckAvailability implements [core.AvailabilityChecker].
func (s *Store) CheckAvailability(ctx context.Context) error {
	check := func(ctx context.Context) error { _, err := s.core.Initialized(ctx); return err }
	if checker, able := s.core.(core.AvailabilityChecker); able {
		check = checker.CheckAvailability
	}
	return outcome(ctx, s.Group, checkName, s.limits.Read, check)
}

// ApplyChangeSet implements [core.ChangeSetApplier].
func (s *Store) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	applier, able := s.core.(core.ChangeSetApplier)
	if able {
		return bounded(ctx, s.Group, "ApplyChangeSet", s.limits.Write, func(ctx context.Context) ([]core.UpsertResult, error) {
			return applier.ApplyChangeSet(ctx, changes)
		})
	}
	results := make([]core.UpsertResult, 0, len(changes))
	for _, change := range changes {
		result, err := s.Upsert(ctx, change.Kind, change.Key, change.Item)
		if err != nil {
			return results, err
		}
		results = append(results, result)
	}
	return results, nil
}

// AppliesChangeSets reports whether the store applies several upserts in one step.
func (s *Store) AppliesChangeSets() bool {
	_, able := s.core.(core.ChangeSetApplier)
	return able
}

// GetItems implements [core.ItemsGetter].
func (s *Store) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	if getter, able := s.core.(core.ItemsGetter); able {
		return bounded(ctx, s.Group, "GetItems", s.limits.Read, func(ctx context.Context) ([]core.KeyedSerializedItem, error) {
			return getter.GetItems(ctx, kind, keys)
		})
	}
	items := make([]core.KeyedSerializedItem, 0, len(keys))
	for _, key := range keys {
		item, found, err := s.Get(ctx, kind, key)
		if err != nil {
			return nil, err
		}
		if found {
			items = append(items, core.KeyedSerializedItem{Key: key, Item: item})
		}
	}
	return items, nil
}

// GetsItems reports whether the store reads several items in one request.
func (s *Store) GetsItems() bool {
	_, able := s.core.(core.ItemsGetter)
	return able
}

// Watches reports whether the store can be watched.
func (s *Store) Watches() bool {
	_, able := s.core.(core.Watcher)
	return able
}

// Watch implements [core.Watcher]. It ends with ctx and when the group is closed; of a store that cannot be watched, it fails.
func (s *Store) Watch(ctx context.Context, changed func(core.Change)) error {
	watcher, able := s.core.(core.Watcher)
	if !able {
		return fmt.Errorf("%s: %w: the store cannot be watched", s.name, core.ErrInvalid)
	}
	return s.watch(ctx, func(ctx context.Context) error { return watcher.Watch(ctx, changed) })
}

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *Store) DescribeConfiguration(config core.ClientConfiguration) ldvalue.Value {
	if described, able := s.core.(core.DiagnosticDescription); able {
		return described.DescribeConfiguration(config)
	}
	return ldvalue.String("custom")
}

// Close implements [core.FeatureStoreCore]: it ends what is in flight, whose callers get [core.ErrClosed], closes the store, and
// waits until nothing of the group runs any more, for 10 s at most. What has not ended then is left behind and logged; if that
// is the store's Close, the error wraps [core.ErrUnavailable]. A second Close returns nil at once.
func (s *Store) Close() error { return s.CloseWithin(CloseLimit) }

// CloseWithin is Close with another limit.
func (s *Store) CloseWithin(limit time.Duration) error {
	return s.close(limit, s.core, s.core.Close)
}

// BigSegments is [Store] for a [core.BigSegmentStore]. Make one with [BoundBigSegments].
type BigSegments struct {
	*Group
	core   core.BigSegmentStore
	limits Limits
}

var _ core.BigSegmentStore = (*BigSegments)(nil)

// BoundBigSegments is [Bound] for a big segment store.
func BoundBigSegments(g *Group, store core.BigSegmentStore, limits Limits) *BigSegments {
	return &BigSegments{Group: g, core: store, limits: limits.withDefaults()}
}

// Metadata implements [core.BigSegmentStore].
func (s *BigSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	return bounded(ctx, s.Group, metadataName, s.limits.Read, s.core.Metadata)
}

// Membership implements [core.BigSegmentStore].
func (s *BigSegments) Membership(ctx context.Context, contextHash string) (core.BigSegmentMembership, error) {
	return bounded(ctx, s.Group, "Membership", s.limits.Read, func(ctx context.Context) (core.BigSegmentMembership, error) {
		return s.core.Membership(ctx, contextHash)
	})
}

// Close implements [core.BigSegmentStore], in the way of [Store.Close].
func (s *BigSegments) Close() error { return s.CloseWithin(CloseLimit) }

// CloseWithin is Close with another limit.
func (s *BigSegments) CloseWithin(limit time.Duration) error {
	return s.close(limit, s.core, s.core.Close)
}

// BigSegmentWriter is [Store] for a [core.BigSegmentWriter], which it does not close. Make one with [BoundWriter].
type BigSegmentWriter struct {
	group  *Group
	core   core.BigSegmentWriter
	limits Limits
}

var _ core.BigSegmentWriter = (*BigSegmentWriter)(nil)

// BoundWriter is [Bound] for what fills a big segment store.
func BoundWriter(g *Group, writer core.BigSegmentWriter, limits Limits) *BigSegmentWriter {
	return &BigSegmentWriter{group: g, core: writer, limits: limits.withDefaults()}
}

// Cursor implements [core.BigSegmentWriter].
func (w *BigSegmentWriter) Cursor(ctx context.Context) (string, error) {
	return bounded(ctx, w.group, "Cursor", w.limits.Read, w.core.Cursor)
}

// ApplyPatch implements [core.BigSegmentWriter].
func (w *BigSegmentWriter) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (applied bool, err error) {
	return bounded(ctx, w.group, "ApplyPatch", w.limits.Write, func(ctx context.Context) (bool, error) {
		return w.core.ApplyPatch(ctx, patch)
	})
}

// SetLastUpToDate implements [core.BigSegmentWriter].
func (w *BigSegmentWriter) SetLastUpToDate(ctx context.Context, at ldtime.UnixMillisecondTime) error {
	return outcome(ctx, w.group, "SetLastUpToDate", w.limits.Write, func(ctx context.Context) error {
		return w.core.SetLastUpToDate(ctx, at)
	})
}
