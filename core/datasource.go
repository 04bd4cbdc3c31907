package core

import "context"

// BackgroundOperation is something that works until it is stopped.
type BackgroundOperation interface {
	// Start begins the operation and returns at once. It is called once. The end of ctx stops the operation as Stop does.
	Start(ctx context.Context)
	// Stop asks the operation to end and may return before it has. It is idempotent, and may be called without or before
	// Start, which then does nothing.
	Stop()
	// Done returns a channel that is closed once the operation has ended: after Start when no goroutine of it is left, and
	// without Start when Stop is called. The operation is alive from Start until then. It is always the same channel.
	Done() <-chan struct{}
}

// UpdateProcessor is a data source: it obtains flag data from somewhere and passes it to a [DataSourceUpdateSink].
//
// It reports its state to the sink: [DataSourceValid] whenever what it passed on is current, [DataSourceInterrupted]
// with the reason while it cannot get data, [DataSourceOff] when it never will. Data that cannot be understood is
// reported and otherwise ignored: the last good data stays. When the status of the data store turns
// [DataStoreStatus].Stale, it obtains everything again and calls the sink's Init.
type UpdateProcessor interface {
	BackgroundOperation
	// Initialized reports whether it has filled the store once. The client asks it before the store, at evaluations too until
	// one of them says so.
	Initialized() bool
}

// UpdateProcessorFactory makes a data source that delivers to the given sink. It does not start it. The sink is never
// nil. The client closes idle connections of the settings' HTTP client when it is closed; nothing else of the settings
// has to be released.
type UpdateProcessorFactory func(settings ClientSettings, sink DataSourceUpdateSink) (UpdateProcessor, error)

// FeatureRequester fetches all data in one request; a polling data source calls it.
type FeatureRequester interface {
	// FetchAll returns everything. If nothing has changed since the last call that returned data, changed is false and
	// the data nil.
	FetchAll(ctx context.Context) (data []Collection, changed bool, err error)
}

// DataSourceUpdateSink is where a data source delivers. It puts the data in the order that the store needs, works out
// which flags have changed, and writes to the [FeatureStore].
//
// An error means that the store has not taken the update, which the sink has already reported as [DataSourceErrorStore]. The
// data source need not retry: the store turns stale once it can be written, and so asks for everything again. An update that is
// in memory, so that evaluations use it, is no error, although the database may get it later; that it has not is reported too.
type DataSourceUpdateSink interface {
	// Init replaces everything. The order of the collections and items does not matter.
	Init(ctx context.Context, data []Collection) error

	// Upsert updates one item if the version is newer.
	Upsert(ctx context.Context, kind DataKind, key string, item *Item) error

	// Delete deletes one item if the version is newer.
	Delete(ctx context.Context, kind DataKind, key string, version int) error

	// UpdateStatus reports the data source's state. The zero DataSourceErrorInfo means no error and leaves the last one in
	// place. [DataSourceInterrupted] while initializing stays initializing, and nothing follows [DataSourceOff].
	UpdateStatus(state DataSourceState, err DataSourceErrorInfo)

	// DataStoreStatus tells of the store, so that the data source notices when all data is needed again.
	DataStoreStatus() DataStoreStatusProvider
}

// EnvironmentIDSink is an optional ability of a [DataSourceUpdateSink]: it takes the identifier of the environment whose
// flags are delivered, which hooks then see. Without it, the identifier is dropped.
type EnvironmentIDSink interface {
	// SetEnvironmentID sets the identifier. It is called before the data that came with it is delivered.
	SetEnvironmentID(id string)
}
