package datasystem

import (
	"context"
	"errors"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
)

// AnyFlag is announced when it is not known whether anything has changed: listeners that evaluate a flag should do so again, and
// all others ignore it.
var AnyFlag = core.FlagChange{}

// AddChangeListener adds a listener to changes of flags, [AnyFlag] among them; nil is none. From then on, changes that others make
// in the store are announced too, until ctx ends.
func (s *Sink) AddChangeListener(ctx context.Context, listener func(core.FlagChange)) (remove func()) {
	remove = s.changes.Add(listener)
	s.followStore(ctx)
	return remove
}

// AnnounceAnyFlag announces [AnyFlag].
func (s *Sink) AnnounceAnyFlag() { s.changes.Publish(AnyFlag) }

// followStore announces from now on what others change in the store, if that can be known, until ctx ends. It is called when a
// listener is added, because the store reads more of what changes for who follows it. In the background it finds out what is
// in the store, so that changes can be told from what only looks like one.
func (s *Sink) followStore(ctx context.Context) {
	s.closing.Lock()
	defer s.closing.Unlock()
	provider, ok := s.store.(core.ChangeProvider)
	if !ok || s.closed {
		return
	}
	if s.unfollow == nil {
		s.unfollow = provider.AddChangeListener(func(change core.Change) { s.noticeStoreChange(ctx, change) })
	}
	s.background.Go(func() {
		if s.takeTurn(ctx) == nil {
			defer s.passTurn()
			s.learn(ctx)
		}
	})
}

// learn makes the graph what is in the store, unless it is already. It reports whether it has done so now.
func (s *Sink) learn(ctx context.Context) bool {
	if s.learned {
		return false
	}
	stored := newGraph(s.inMemory)
	for _, kind := range core.BuiltInKinds() {
		items, err := s.store.All(ctx, kind)
		if err != nil && !errors.Is(err, core.ErrCorrupt) {
			return false
		}
		stored.setAll(kind, items)
	}
	s.graph, s.learned = stored, true
	// Who evaluated a flag before may have seen another one than the graph begins with, and would not be told of that.
	s.changes.Publish(AnyFlag)
	return true
}

// noticeStoreChange announces the flags that a change made by others concerns. A change that went through the sink
// itself has been announced before, and is recognised by the graph.
func (s *Sink) noticeStoreChange(ctx context.Context, change core.Change) {
	if s.takeTurn(ctx) != nil {
		return
	}
	defer s.passTurn()
	if !s.learned && !s.changes.HasListeners() {
		return
	}
	switch {
	case s.learn(ctx):
		s.announce(s.graph, s.graph.matching(change))
	case s.learned && change.Key != "":
		s.noticeItem(ctx, dataorder.Ref{Kind: change.Kind, Key: change.Key})
	case s.learned:
		s.noticeKinds(ctx, change.Kind)
	}
}

func (s *Sink) noticeItem(ctx context.Context, ref dataorder.Ref) {
	item, found, err := s.store.Get(ctx, ref.Kind, ref.Key)
	if err != nil {
		return
	}
	was, known := s.graph.nodes[ref]
	switch {
	case !found && (!known || was.deleted), found && known && !s.graph.nodeOf(ref, item).differs(was):
		return
	case found:
		s.graph.set(ref, item)
	default:
		s.graph.remove(ref)
	}
	s.announce(s.graph, []dataorder.Ref{ref})
}

// noticeKinds compares one kind, or if it is empty all built-in ones, with what is in the store.
func (s *Sink) noticeKinds(ctx context.Context, kind core.DataKind) {
	next := s.graph.clone()
	for _, each := range core.BuiltInKinds() {
		if kind != "" && kind != each {
			continue
		}
		items, err := s.store.All(ctx, each)
		if err != nil && !errors.Is(err, core.ErrCorrupt) {
			return
		}
		next.setAll(each, items)
	}
	changed := s.graph.differences(next)
	s.graph = next
	s.announce(next, changed)
}
