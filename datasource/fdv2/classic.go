package fdv2

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// initializerTimeout is how long a data source may take as an initializer.
const initializerTimeout = 10 * time.Second

// ClassicSynchronizer makes a synchronizer of a data source that knows nothing of the second protocol: files, test data, streaming or
// polling by the first protocol, or one of the application's own. It is of no use to go on with it once it is [core.DataSourceOff].
// A data source is made each time that the synchronizer runs, and told that its data store is well, because a client with a data
// system sees to its store itself. The factory's errors are those of the data source's.
func ClassicSynchronizer(source core.UpdateProcessorFactory) core.SynchronizerFactory {
	return func(settings core.ClientSettings) (core.Synchronizer, error) { return newClassic(source, settings) }
}

// ClassicInitializer makes an initializer of such a data source, which is used until it has delivered everything once, has reported
// an error, or 10 s have passed. What it delivers has no selector, so that the next initializer is asked too.
func ClassicInitializer(source core.UpdateProcessorFactory) core.InitializerFactory {
	return func(settings core.ClientSettings) (core.Initializer, error) { return newClassic(source, settings) }
}

// classic is a data source of the first protocol as a source of the second.
type classic struct {
	factory  core.UpdateProcessorFactory
	settings core.ClientSettings
	name     string               // of the data source
	source   core.UpdateProcessor // that runs next; nil if it is yet to be made
	sink     *classicSink         // of source
}

var (
	_ core.Initializer  = (*classic)(nil)
	_ core.Synchronizer = (*classic)(nil)
)

func newClassic(factory core.UpdateProcessorFactory, settings core.ClientSettings) (*classic, error) {
	if factory == nil {
		return nil, fmt.Errorf("fdv2: %w: there is no data source", core.ErrInvalid)
	}
	c := &classic{factory: factory, settings: settings.WithDefaults()}
	if err := c.make(); err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(strings.TrimLeft(fmt.Sprintf("%T", c.source), "*"), ".")
	c.name = "classic " + name
	return c, nil
}

// String names the data source by its package.
func (c *classic) String() string { return c.name }

// make makes the data source that runs next, unless there is one.
func (c *classic) make() (err error) {
	if c.source != nil {
		return nil
	}
	c.sink = &classicSink{off: make(chan struct{})}
	c.source, err = c.factory(c.settings, c.sink)
	if err == nil && c.source == nil {
		err = fmt.Errorf("fdv2: %w: the data source's factory made nothing and no error", core.ErrInvalid)
	}
	return err
}

// Run implements [core.Synchronizer].
func (c *classic) Run(ctx context.Context, _ func() core.Selector, tell func(core.Update)) *core.FallbackDirective {
	if err := c.make(); err != nil {
		tell(core.Update{Error: core.DataSourceErrorInfo{Kind: core.DataSourceErrorUnknown, Message: err.Error()}})
		return nil
	}
	source, sink := c.source, c.sink
	c.source = nil
	sink.open(tell)
	defer sink.open(nil) // the application may call its data source whenever it likes
	source.Start(ctx)
	defer func() {
		source.Stop()
		<-source.Done()
	}()
	select {
	case <-ctx.Done():
	case <-sink.off:
	}
	return nil
}

// Fetch implements [core.Initializer].
func (c *classic) Fetch(ctx context.Context, _ core.Selector) (core.Update, *core.FallbackDirective) {
	ctx, cancel := context.WithTimeout(ctx, initializerTimeout)
	defer cancel()
	var fetched *core.Update // written while Run runs
	c.Run(ctx, nil, func(update core.Update) {
		if fetched == nil && (update.ChangeSet == nil || update.ChangeSet.Type == core.ChangeSetFull) {
			fetched = &update
			cancel()
		}
	})
	if fetched == nil {
		return core.Update{Error: core.DataSourceErrorInfo{
			Kind: core.DataSourceErrorUnknown, Message: fmt.Sprintf("the data source has delivered nothing within %v", initializerTimeout),
		}}, nil
	}
	return *fetched, nil
}

// classicSink passes on what a data source delivers.
type classicSink struct {
	off chan struct{} // closed once the data source has said that it is off

	mu            sync.Mutex        // held during tell, so that there is one update at a time, and guards what follows
	tell          func(core.Update) // nil while nothing is wanted
	isOff         bool              // off is closed
	environmentID string
}

var (
	_ core.DataSourceUpdateSink = (*classicSink)(nil)
	_ core.EnvironmentIDSink    = (*classicSink)(nil)
)

// open has everything passed on to tell from now on; nil has it dropped.
func (s *classicSink) open(tell func(core.Update)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell = tell
}

func (s *classicSink) pass(update core.Update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tell != nil && !s.isOff {
		update.EnvironmentID = s.environmentID
		s.tell(update)
	}
}

// Init implements [core.DataSourceUpdateSink].
func (s *classicSink) Init(_ context.Context, data []core.Collection) error {
	s.pass(core.Update{ChangeSet: &core.ChangeSet{Type: core.ChangeSetFull, Data: data}})
	return nil
}

// Upsert implements [core.DataSourceUpdateSink].
func (s *classicSink) Upsert(_ context.Context, kind core.DataKind, key string, item *core.Item) error {
	data := []core.Collection{{Kind: kind, Items: []core.KeyedItem{{Key: key, Item: item}}}}
	s.pass(core.Update{ChangeSet: &core.ChangeSet{Type: core.ChangeSetPartial, Data: data, OnlyNewer: true}})
	return nil
}

// Delete implements [core.DataSourceUpdateSink].
func (s *classicSink) Delete(ctx context.Context, kind core.DataKind, key string, version int) error {
	return s.Upsert(ctx, kind, key, core.NewTombstone(kind, key, version))
}

// UpdateStatus implements [core.DataSourceUpdateSink].
func (s *classicSink) UpdateStatus(state core.DataSourceState, err core.DataSourceErrorInfo) {
	switch {
	case state == core.DataSourceValid:
		s.pass(core.Update{ChangeSet: &core.ChangeSet{}})
	case err != core.DataSourceErrorInfo{}:
		s.pass(core.Update{Error: err})
	case state == core.DataSourceInterrupted:
		s.pass(core.Update{Error: core.DataSourceErrorInfo{
			Kind: core.DataSourceErrorUnknown, Message: "the data source is interrupted and does not say why",
		}})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == core.DataSourceOff && !s.isOff {
		s.isOff = true
		close(s.off)
	}
}

// DataStoreStatus implements [core.DataSourceUpdateSink]: the data is delivered to memory.
func (s *classicSink) DataStoreStatus() core.DataStoreStatusProvider { return wellStore{} }

// SetEnvironmentID implements [core.EnvironmentIDSink].
func (s *classicSink) SetEnvironmentID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.environmentID = id
}

// wellStore is the status of memory.
type wellStore struct{}

// Status implements [core.DataStoreStatusProvider].
func (wellStore) Status() core.DataStoreStatus { return core.DataStoreStatus{Available: true} }

// MonitoringEnabled implements [core.DataStoreStatusProvider].
func (wellStore) MonitoringEnabled() bool { return false }

// AddListener implements [core.DataStoreStatusProvider].
func (wellStore) AddListener(func(core.DataStoreStatus)) (remove func()) { return func() {} }
