package mockservice

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/cleatdev/cleat/core"
)

// Sink takes what a data source delivers, as a client does, and plays its store. Make one with [NewSink]. It is safe for
// concurrent use.
type Sink struct {
	mu            sync.Mutex // guards what follows
	items         map[string]*core.Item
	inits         int
	reports       []Report
	environmentID string
	refusal       error
	monitored     bool
	status        core.DataStoreStatus
	listeners     map[int]func(core.DataStoreStatus)
	nextListener  int
}

// Report is one call of UpdateStatus.
type Report struct {
	State core.DataSourceState
	Err   core.DataSourceErrorInfo
}

var (
	_ core.DataSourceUpdateSink = (*Sink)(nil)
	_ core.EnvironmentIDSink    = (*Sink)(nil)
)

// NewSink returns a sink whose store is empty, works, and monitors itself.
func NewSink() *Sink {
	return &Sink{
		items:     map[string]*core.Item{},
		monitored: true,
		status:    core.DataStoreStatus{Available: true},
		listeners: map[int]func(core.DataStoreStatus){},
	}
}

// Init implements [core.DataSourceUpdateSink].
func (s *Sink) Init(ctx context.Context, data []core.Collection) error {
	return s.update(ctx, func() {
		s.inits++
		clear(s.items)
		for _, collection := range data {
			for _, item := range collection.Items {
				s.items[name(collection.Kind, item.Key)] = item.Item
			}
		}
	})
}

// Upsert implements [core.DataSourceUpdateSink].
func (s *Sink) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) error {
	return s.update(ctx, func() {
		if old := s.items[name(kind, key)]; old == nil || old.Version() < item.Version() {
			s.items[name(kind, key)] = item
		}
	})
}

// Delete implements [core.DataSourceUpdateSink].
func (s *Sink) Delete(ctx context.Context, kind core.DataKind, key string, version int) error {
	return s.Upsert(ctx, kind, key, core.NewTombstone(kind, key, version))
}

// update changes the store unless it refuses that, which is reported as a client does.
func (s *Sink) update(ctx context.Context, change func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil {
		info := core.DataSourceErrorInfo{Kind: core.DataSourceErrorStore, Message: s.refusal.Error()}
		s.reports = append(s.reports, Report{core.DataSourceInterrupted, info})
		return s.refusal
	}
	change()
	return nil
}

// UpdateStatus implements [core.DataSourceUpdateSink].
func (s *Sink) UpdateStatus(state core.DataSourceState, err core.DataSourceErrorInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, Report{state, err})
}

// SetEnvironmentID implements [core.EnvironmentIDSink].
func (s *Sink) SetEnvironmentID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.environmentID = id
}

// DataStoreStatus implements [core.DataSourceUpdateSink].
func (s *Sink) DataStoreStatus() core.DataStoreStatusProvider { return storeStatus{s} }

// Refuse makes the store refuse every update with the error; nil makes it accept them again.
func (s *Sink) Refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = err
}

// DoNotMonitor makes the store one that does not monitor itself.
func (s *Sink) DoNotMonitor() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.monitored = false
}

// SetStoreStatus changes the status of the store and tells the data source.
func (s *Sink) SetStoreStatus(status core.DataStoreStatus) {
	s.mu.Lock()
	s.status = status
	listeners := slices.Collect(maps.Values(s.listeners))
	s.mu.Unlock()
	for _, listener := range listeners {
		listener(status)
	}
}

// Items returns the JSON of everything in the store by name, such as features/key.
func (s *Sink) Items() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := map[string]string{}
	for name, item := range s.items {
		items[name] = string(item.JSON())
	}
	return items
}

// Inits returns how many times everything has been delivered and accepted.
func (s *Sink) Inits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inits
}

// Reports returns all calls of UpdateStatus, and those that a client would have made itself.
func (s *Sink) Reports() []Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reports)
}

// Last returns the last of them; the zero Report if there is none.
func (s *Sink) Last() Report {
	if reports := s.Reports(); len(reports) > 0 {
		return reports[len(reports)-1]
	}
	return Report{}
}

// EnvironmentID returns the identifier of the environment that was set last.
func (s *Sink) EnvironmentID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.environmentID
}

// Listeners returns how many listeners there are to the status of the store.
func (s *Sink) Listeners() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners)
}

func name(kind core.DataKind, key string) string { return string(kind) + "/" + key }

type storeStatus struct{ sink *Sink }

func (s storeStatus) Status() core.DataStoreStatus {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	return s.sink.status
}

func (s storeStatus) MonitoringEnabled() bool {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	return s.sink.monitored
}

func (s storeStatus) AddListener(listener func(core.DataStoreStatus)) (remove func()) {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	id := s.sink.nextListener
	s.sink.nextListener++
	s.sink.listeners[id] = listener
	return func() {
		s.sink.mu.Lock()
		defer s.sink.mu.Unlock()
		delete(s.sink.listeners, id)
	}
}
