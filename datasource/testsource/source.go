package testsource

import (
	"maps"
	"slices"
	"sync"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// Source holds flags and segments and gives them to any number of clients. Make one with [New]. It is safe for concurrent
// use.
type Source struct {
	mu       sync.Mutex // guards what follows, and keeps updates in order
	flags    map[string]*FlagBuilder
	items    map[core.DataKind]map[string]*core.Item
	versions map[core.DataKind]map[string]int
	clients  []*client
	state    core.DataSourceState
	err      core.DataSourceErrorInfo
}

// New returns a Source without flags.
func New() *Source {
	return &Source{
		flags:    map[string]*FlagBuilder{},
		items:    map[core.DataKind]map[string]*core.Item{core.Flags: {}, core.Segments: {}},
		versions: map[core.DataKind]map[string]int{core.Flags: {}, core.Segments: {}},
		state:    core.DataSourceValid,
	}
}

// Factory returns what makes a client's data source of the Source. It may be given to several clients.
func (s *Source) Factory() core.UpdateProcessorFactory {
	return func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
		return &client{
			logger:    settings.WithDefaults().Logger,
			Operation: lifecycle.NewOperation(),
			source:    s,
			sink:      sink,
			store:     make(chan struct{}, 1),
		}, nil
	}
}

// Flag returns a builder that begins with the flag as it was updated last, or, if there is none or it was preconfigured,
// with a new one: a boolean flag that is on and true for everyone, and false when it is turned off. The flag itself does
// not change before [Source.Update].
func (s *Source) Flag(key string) *FlagBuilder {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.flags[key]; ok {
		return known.clone()
	}
	return newFlagBuilder(key)
}

// Update makes the flag what the builder says. Changes to the builder after that have no effect on it.
func (s *Source) Update(builder *FlagBuilder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	builder = builder.clone()
	flag := builder.build()
	flag.Version = s.nextVersion(core.Flags, builder.key, 0)
	s.put(core.Flags, builder.key, core.NewFlag(&flag))
	s.flags[builder.key] = builder
}

// UsePreconfiguredFlag makes the flag with the same key what the given one is. Its version is raised if it is not
// greater than the last. The flag must not be changed afterwards.
func (s *Source) UsePreconfiguredFlag(flag ldmodel.FeatureFlag) {
	s.mu.Lock()
	defer s.mu.Unlock()
	flag.Version = s.nextVersion(core.Flags, flag.Key, flag.Version)
	s.put(core.Flags, flag.Key, core.NewFlag(&flag))
}

// UsePreconfiguredSegment makes the segment with the same key what the given one is, in the way of
// [Source.UsePreconfiguredFlag].
func (s *Source) UsePreconfiguredSegment(segment ldmodel.Segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	segment.Version = s.nextVersion(core.Segments, segment.Key, segment.Version)
	s.put(core.Segments, segment.Key, core.NewSegment(&segment))
}

// DeleteFlag deletes the flag. If there is none, clients are told all the same.
func (s *Source) DeleteFlag(key string) { s.remove(core.Flags, key) }

// DeleteSegment deletes the segment, in the way of [Source.DeleteFlag].
func (s *Source) DeleteSegment(key string) { s.remove(core.Segments, key) }

// UpdateStatus makes the data source of every client report the state, now and to clients that start later. Flags go on
// being delivered. After [core.DataSourceOff], clients that were told so are told nothing else; the zero
// core.DataSourceErrorInfo means no error.
func (s *Source) UpdateStatus(state core.DataSourceState, err core.DataSourceErrorInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.err = state, err
	for _, c := range s.clients {
		c.sink.UpdateStatus(state, err)
	}
}

func (s *Source) remove(kind core.DataKind, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(kind, key, core.NewTombstone(kind, key, s.nextVersion(kind, key, 0)))
}

// nextVersion returns the version of an update, which is at least the given one.
func (s *Source) nextVersion(kind core.DataKind, key string, least int) int {
	s.versions[kind][key] = max(least, s.versions[kind][key]+1)
	return s.versions[kind][key]
}

// put keeps an item, or forgets it if it is a tombstone, and tells all clients. What has an empty key is not kept, because no
// store takes it, and everything else would be refused with it.
func (s *Source) put(kind core.DataKind, key string, item *core.Item) {
	if key == "" {
		for _, c := range s.clients {
			c.logger.Warn("cleat: the test source was given an item with an empty key, which is left out", "kind", string(kind))
		}
		return
	}
	if item.Deleted() {
		delete(s.items[kind], key)
	} else {
		s.items[kind][key] = item
	}
	if kind == core.Flags {
		delete(s.flags, key)
	}
	for _, c := range s.clients {
		c.upsert(kind, key, item)
	}
}

// everything returns all items in the order of their keys.
func (s *Source) everything() []core.Collection {
	data := make([]core.Collection, 0, len(s.items))
	for _, kind := range core.BuiltInKinds() {
		collection := core.Collection{Kind: kind}
		for _, key := range slices.Sorted(maps.Keys(s.items[kind])) {
			collection.Items = append(collection.Items, core.KeyedItem{Key: key, Item: s.items[kind][key]})
		}
		data = append(data, collection)
	}
	return data
}

func (s *Source) attach(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = append(s.clients, c)
	c.init()
}

func (s *Source) detach(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = slices.DeleteFunc(s.clients, func(other *client) bool { return other == c })
	c.sink.UpdateStatus(core.DataSourceOff, core.DataSourceErrorInfo{})
}
