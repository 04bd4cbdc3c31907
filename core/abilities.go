package core

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// AvailabilityChecker is an optional ability of a [FeatureStoreCore]: the smallest possible check that the database
// can be reached. After a failure it is called at growing intervals until it succeeds. Without it,
// [FeatureStoreCore.Initialized] returning no error serves as the check.
type AvailabilityChecker interface {
	// CheckAvailability returns nil if the database answered.
	CheckAvailability(ctx context.Context) error
}

// Change tells what another process may have changed in a database.
type Change struct {
	// Kind is the kind that changed; empty means that anything may have changed, which is also what a [Watcher] reports
	// after it was unable to watch for a while.
	Kind DataKind
	// Key is the key that changed; empty means that any item of the kind may have.
	Key string
}

// Watcher is an optional ability of a [FeatureStoreCore]: it tells of changes made by others, in this process or another
// one, soon after they happened. Changes made by the store itself may be reported or not. It is a hint that something should
// be read again and never the only way to learn of a change. Without it, changes by others are seen when cached items expire.
type Watcher interface {
	// Watch calls changed with an empty [Change] as soon as it sees changes, because what was read before that may have
	// changed unseen, and then for every change until ctx ends, and then returns ctx.Err(). Calls are made one at a time, on
	// a goroutine of the caller of Watch or of the adapter, and changed must not block. A lost connection is restored by
	// Watch itself and followed by what was missed, or by an empty [Change] if that is not known; any other error means that
	// the database cannot be watched, and Watch is not called again.
	Watch(ctx context.Context, changed func(Change)) error
}

// ItemsGetter is an optional ability of a [FeatureStoreCore]: it reads several items in one request, or few. Without it, they
// are read one by one.
type ItemsGetter interface {
	// GetItems returns what Get returns for each of the keys, of which none occurs twice: the items that are there, in any
	// order, and nothing for a key that is not there. They need not be of one moment.
	GetItems(ctx context.Context, kind DataKind, keys []string) ([]KeyedSerializedItem, error)
}

// ChangeProvider is an optional ability of a [FeatureStore]: it tells of changes that others made in the database below
// it. Without it, only what goes through the [DataSourceUpdateSink] is known to change.
type ChangeProvider interface {
	// AddChangeListener calls listener with every change until remove is called, as the package documentation says under Listeners. What is
	// read from the store after such a call is at least as new as the change. An item that was written again unchanged is
	// not announced, but several changes of it may be announced as one, and changes of this process may be announced too.
	AddChangeListener(listener func(Change)) (remove func())
}

// KindAndKeyedItem is one element of a change set.
type KindAndKeyedItem struct {
	Kind DataKind
	Key  string
	Item SerializedItem
}

// ChangeSetApplier is an optional ability of a [FeatureStoreCore]: it applies several upserts in one atomic step.
// Without it, they are applied one after the other in the order given.
type ChangeSetApplier interface {
	// ApplyChangeSet upserts every item in the way of [FeatureStoreCore.Upsert], so that a reader who gets one item after
	// another sees all of it or nothing, and returns a result for each in the same order. If a key occurs more than once,
	// its changes take effect in the order given. On an error nothing was changed; more changes than the database can
	// apply at once are [ErrTooLarge].
	ApplyChangeSet(ctx context.Context, changes []KindAndKeyedItem) ([]UpsertResult, error)
}

// ClientConfiguration is what a component may know of the whole configuration when it describes itself.
type ClientConfiguration struct {
	// Offline is true if the client makes no connection to the flag service.
	Offline bool
	// DaemonMode is true if the client has no data source and only reads its store.
	DaemonMode bool
	// StreamingURI, PollingURI and EventsURI are the base URIs of the flag service in use.
	StreamingURI, PollingURI, EventsURI string
}

// DiagnosticDescription is an optional ability of a store or data source: it describes itself for diagnostic events, which the
// event processor makes and describes itself in. A store without it is "custom".
type DiagnosticDescription interface {
	// DescribeConfiguration returns the name of a store's type, such as "Redis", or an object whose properties are merged into
	// the diagnostic event, such as {"pollingIntervalMillis": 30000}. It must contain no secrets, host names or key prefixes.
	DescribeConfiguration(config ClientConfiguration) ldvalue.Value
}
