package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

// event is what the first process tells its parent: one line on the pipe between them.
type event string

const (
	eventUpdateBegun  event = "update begun"     // a change is about to be written to the store
	eventUpdateEnded  event = "update ended"     // it has been written
	eventUpdateFailed event = "update failed"    // it has not; the reason follows on the same line
	eventReady        event = "ready for update" // all flags are evaluated, the file may be changed now
)

// send writes one event and returns when the pipe has taken it.
func send(pipe io.Writer, e event) error {
	_, err := fmt.Fprintln(pipe, e)
	return err
}

// announcedStore is a SQLite store that says when an Init begins and ends, so that the parent knows when to strike.
type announcedStore struct {
	*sqlitestore.Store
	pipe io.Writer
}

var _ core.FeatureStoreCore = (*announcedStore)(nil)

// Init announces the Init of the store below.
func (s *announcedStore) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := send(s.pipe, eventUpdateBegun); err != nil {
		return err
	}
	if err := s.Store.Init(ctx, data); err != nil {
		return errors.Join(err, send(s.pipe, event(fmt.Sprintf("%s: %q", eventUpdateFailed, err))))
	}
	return send(s.pipe, eventUpdateEnded)
}
