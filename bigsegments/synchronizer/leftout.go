package synchronizer

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/cleatdev/cleat/core"
)

// maxLeftOut bounds how many contexts are remembered, and named in the log, whose rows the store cannot hold.
const maxLeftOut = 1000

// leftOut is which contexts the store lacks memberships of, because their rows are full.
type leftOut struct {
	segments map[string]map[string]struct{} // what is missing, by context hash
	logged   map[string]struct{}            // context hashes
	reason   error                          // the last one
}

// leaveOut notes what was left out of the store.
func (s *Synchronizer) leaveOut(ctx context.Context, left core.BigSegmentPatch, reason error) {
	s.leftOut.reason = reason
	for list := range lists(&left.Included, &left.Excluded) {
		for _, hash := range *list.hashes {
			s.leftOut.add(ctx, s.settings.Logger, hash, left.SegmentRef)
		}
	}
	s.reporter.incomplete(s.leftOut.message())
}

func (l *leftOut) add(ctx context.Context, logger *slog.Logger, hash, segment string) {
	if l.segments[hash] == nil {
		if len(l.segments) >= maxLeftOut {
			return
		}
		l.segments[hash] = make(map[string]struct{})
	}
	l.segments[hash][segment] = struct{}{}
	if _, again := l.logged[hash]; again || len(l.logged) >= maxLeftOut {
		return
	}
	l.logged[hash] = struct{}{}
	logger.ErrorContext(ctx, "cleat: big segments of a context are left out of the store",
		"context_hash", hash, "segment", segment, "error", l.reason)
}

// healed notes that the store has taken a patch, which may be of memberships that were left out before.
func (s *Synchronizer) healed(patch core.BigSegmentPatch) {
	if len(s.leftOut.segments) == 0 {
		return
	}
	before := len(s.leftOut.segments)
	for list := range lists(&patch.Included, &patch.Excluded) {
		for _, hash := range *list.hashes {
			delete(s.leftOut.segments[hash], patch.SegmentRef)
			if segments, found := s.leftOut.segments[hash]; found && len(segments) == 0 {
				delete(s.leftOut.segments, hash)
			}
		}
	}
	if len(s.leftOut.segments) != before {
		s.reporter.incomplete(s.leftOut.message())
	}
}

// message says what the store lacks; it is empty if that is nothing.
func (l *leftOut) message() string {
	count := len(l.segments)
	if count == 0 {
		return ""
	}
	text := fmt.Sprintf("big segments of %d contexts are left out of the store", count)
	if count >= maxLeftOut {
		text = fmt.Sprintf("big segments of %d or more contexts are left out of the store", count)
	}
	for hash := range l.segments {
		return fmt.Sprintf("%s, among them the one with hash %q, until a later patch of the same segments succeeds: %v",
			text, hash, l.reason)
	}
	return text
}
