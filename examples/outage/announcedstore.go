package main

import (
	"context"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

// announcedStore is a SQLite store that says when an Init begins and ends, so that the parent knows when to strike.
type announcedStore struct {
	*sqlitestore.Store
	events *eventWriter
}

var _ core.FeatureStoreCore = (*announcedStore)(nil)

// Init announces the Init of the store below.
func (s *announcedStore) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := s.events.send(eventUpdateBegun, nil); err != nil {
		return err
	}
	err := s.Store.Init(ctx, data)
	if sendErr := s.events.send(eventUpdateEnded, err); sendErr != nil {
		return sendErr
	}
	return err
}
