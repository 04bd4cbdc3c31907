package synchronizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

// storeError is an error of the store that is filled.
type storeError struct {
	error
	timedOut bool
}

func (e *storeError) Unwrap() error { return e.error }

// storeFailed returns what is made of the error of a call of the store.
func storeFailed(ctx context.Context, what string, err error) error {
	switch timedOut := errors.Is(err, context.DeadlineExceeded); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case timedOut:
		return &storeError{fmt.Errorf("%s the big segment store took longer than Options.StoreTimeout: %w", what, err), timedOut}
	default:
		return &storeError{fmt.Errorf("%s the big segment store: %w", what, err), timedOut}
	}
}

func (s *Synchronizer) readCursor(ctx context.Context) (string, error) {
	cursor, err := s.writer.Cursor(ctx)
	return cursor, storeFailed(ctx, "reading the cursor of", err)
}

func (s *Synchronizer) markUpToDate(ctx context.Context, asOf time.Time) error {
	return storeFailed(ctx, "marking as up to date",
		s.writer.SetLastUpToDate(ctx, ldtime.UnixMillisecondTime(max(asOf.UnixMilli(), 0))))
}

// Sizes of pieces: how many changes one call of the store has at most. A piece that takes longer than half of the store's
// time-out halves it, and quick ones double it.
const (
	firstPiece = 8192
	maxPiece   = 50_000
	minPiece   = 16
)

// slowPiece is how long a piece that the store could not write took at least if its size may be the reason.
const slowPiece = time.Second

// write writes a unit, except for what the store has of it already, and moves the cursor if move is true. It reports
// whether the cursor was where the unit begins; if it was not, the rest is not written.
func (s *Synchronizer) write(ctx context.Context, u *unit, move bool) (applied bool, err error) {
	s.progress.at(u.from)
	s.progress.plan(u.patches)
	last := core.BigSegmentPatch{PreviousVersion: u.from, Version: u.from}
	for piece := range s.progress.pieces(u.patches, &s.pieceSize) {
		if last.Changes() > 0 {
			if applied, err := s.writePiece(ctx, last); err != nil || !applied {
				return false, err
			}
		}
		last = piece
	}
	if move {
		last.Version = u.to
	}
	if last.Changes() == 0 && last.Version == u.from {
		return true, nil
	}
	return s.writePiece(ctx, last)
}

// writePiece writes one patch, without the contexts whose rows the store cannot hold.
func (s *Synchronizer) writePiece(ctx context.Context, piece core.BigSegmentPatch) (applied bool, err error) {
	for {
		began := time.Now()
		applied, err = s.writer.ApplyPatch(ctx, piece)
		err = storeFailed(ctx, "applying a patch to", err)
		tooLarge, ok := errors.AsType[*core.BigSegmentTooLargeError](err)
		if !ok {
			s.resize(piece, err, time.Since(began))
			break
		}
		rest, left := split(piece, tooLarge.ContextHashes)
		if left.Changes() == 0 {
			break // it names no context of the patch, and would say the same again
		}
		s.progress.done(left)
		s.leaveOut(ctx, left, tooLarge)
		piece = rest
	}
	if err == nil && applied {
		s.progress.done(piece)
		s.healed(piece)
	}
	return applied, err
}

// resize adapts the size of the pieces to come.
func (s *Synchronizer) resize(piece core.BigSegmentPatch, err error, took time.Duration) {
	failure, _ := errors.AsType[*storeError](err)
	switch {
	case err == nil && took > s.options.StoreTimeout/2,
		failure != nil && (failure.timedOut || errors.Is(err, core.ErrUnavailable) && took >= slowPiece):
		s.pieceSize = max(minPiece, min(s.pieceSize, piece.Changes())/2)
	case err == nil && took < s.options.StoreTimeout/8:
		s.pieceSize = min(maxPiece, 2*s.pieceSize)
	}
}

// split takes the contexts with the given hashes out of a patch.
func split(patch core.BigSegmentPatch, hashes []string) (rest, left core.BigSegmentPatch) {
	out := make(map[string]bool, len(hashes))
	for _, hash := range hashes {
		out[hash] = true
	}
	rest, left = patch, patch
	rest.Included, rest.Excluded = core.BigSegmentChanges{}, core.BigSegmentChanges{}
	left.Included, left.Excluded = core.BigSegmentChanges{}, core.BigSegmentChanges{}
	for list := range lists(&patch.Included, &patch.Excluded) {
		for _, hash := range *list.hashes {
			into := list.in(&rest)
			if out[hash] {
				into = list.in(&left)
			}
			*into = append(*into, hash)
		}
	}
	return rest, left
}
