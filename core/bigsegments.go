package core

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// BigSegmentStore answers which big segments a context is in. It does not cache; package bigsegments does.
//
// Context ends, nil contexts, and calls after Close are treated as by [FeatureStoreCore].
type BigSegmentStore interface {
	// Metadata returns when the store was last brought up to date. A store that never was returns the zero value and no
	// error. What the database holds instead of a time is an error wrapping [ErrCorrupt]; the store then counts as stale, and
	// any other error means that it is not available.
	Metadata(ctx context.Context) (BigSegmentMetadata, error)

	// Membership returns the membership of the context with the given hash (see [BigSegmentContextHash]). A hash that
	// the store does not know has the empty membership, which is not an error.
	Membership(ctx context.Context, contextHash string) (BigSegmentMembership, error)

	// Close releases the store in the way of [FeatureStoreCore.Close].
	Close() error
}

// BigSegmentMetadata describes the state of a [BigSegmentStore].
type BigSegmentMetadata struct {
	// LastUpToDate is when the store's data was last known to be complete, in Unix milliseconds; 0 means never.
	LastUpToDate ldtime.UnixMillisecondTime
}

// BigSegmentContextHash returns the form of a context key under which big segment stores file memberships: the
// standard Base64 encoding of the key's SHA-256.
func BigSegmentContextHash(contextKey string) string {
	sum := sha256.Sum256([]byte(contextKey))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// BigSegmentMembership says for one context which big segments, by segment reference, include or exclude it. It is
// immutable. The zero value is the empty membership: no segment says anything.
type BigSegmentMembership struct {
	included map[string]bool
}

// NewBigSegmentMembership makes a membership. A reference that is in both lists is included.
func NewBigSegmentMembership(included, excluded []string) BigSegmentMembership {
	if len(included)+len(excluded) == 0 {
		return BigSegmentMembership{}
	}
	m := make(map[string]bool, len(included)+len(excluded))
	for _, ref := range excluded {
		m[ref] = false
	}
	for _, ref := range included {
		m[ref] = true
	}
	return BigSegmentMembership{included: m}
}

// CheckMembership returns true if the segment includes the context, false if it excludes it, and no value if it says
// nothing. The signature is the one that the evaluation engine asks for.
func (m BigSegmentMembership) CheckMembership(segmentRef string) ldvalue.OptionalBool {
	if included, found := m.included[segmentRef]; found {
		return ldvalue.NewOptionalBool(included)
	}
	return ldvalue.OptionalBool{}
}

// All returns every segment reference that says something, in no particular order, with true for one that includes the
// context and false for one that excludes it.
func (m BigSegmentMembership) All() iter.Seq2[string, bool] { return maps.All(m.included) }

// Len returns how many segments say something.
func (m BigSegmentMembership) Len() int { return len(m.included) }

// Bytes estimates how much memory the membership takes.
func (m BigSegmentMembership) Bytes() int {
	const perReference = 64 // a string's header, a bool, and what the map and the allocator leave free
	bytes := len(m.included) * perReference
	for ref := range m.included {
		bytes += len(ref)
	}
	return bytes
}

// Equal reports whether both memberships say the same.
func (m BigSegmentMembership) Equal(other BigSegmentMembership) bool {
	return maps.Equal(m.included, other.included)
}

// BigSegmentPatch is one change to the membership of one big segment.
type BigSegmentPatch struct {
	// SegmentRef is the segment reference: the segment's key and generation. It may be empty if the patch changes nothing but
	// the cursor.
	SegmentRef string
	// PreviousVersion is the cursor that a store must have for the patch to apply; empty for a store that has none yet.
	PreviousVersion string
	// Version is the cursor that the store has after it.
	Version string
	// Included and Excluded say which context hashes are added to and removed from the segment's two sets.
	Included, Excluded BigSegmentChanges
}

// BigSegmentChanges lists context hashes.
type BigSegmentChanges struct {
	Add, Remove []string
}

// BigSegmentWriter is the optional other half of a [BigSegmentStore], by which a synchroniser fills it.
//
// Any number of writers may fill one store, without a lease, because of one rule: as long as the cursor is at one version,
// every writer writes what belongs to the next one. What a slow writer writes late is then either the same as another
// one has written, or refused because the cursor has moved.
type BigSegmentWriter interface {
	// Cursor returns the version of which the store has everything; empty means none. Of the next version it may have a
	// part.
	Cursor(ctx context.Context) (string, error)

	// ApplyPatch applies the patch and moves the cursor to its Version if the cursor equals its PreviousVersion, and
	// reports whether it did. A patch whose Version equals its PreviousVersion leaves the cursor where it is, and one
	// without changes only moves it.
	//
	// A patch that is too large for one atomic step of the database is applied in several. Every step compares the cursor
	// with PreviousVersion in the same atomic step as it writes, and writes nothing if the cursor is elsewhere; ApplyPatch
	// then returns false without an error, and what earlier steps wrote stays. The last step moves the cursor. So a writer
	// that is late, or that another one overtakes, never writes what belongs to one version into a store that has another.
	//
	// Steps only put hashes into sets and take them out. A patch that was interrupted, by an error or by the end of the
	// process, can be applied again, and several writers may apply the same patch at once: the result is the same.
	//
	// It ends when ctx does, between steps and within them.
	//
	// If the database cannot hold what the patch makes of some contexts' rows, ApplyPatch returns a
	// [*BigSegmentTooLargeError] that names them. Such a call does not move the cursor; it may have applied the patch for
	// other contexts. The caller goes on by applying the patch without those contexts.
	//
	// A hash is named at most once in each of the patch's two sets.
	ApplyPatch(ctx context.Context, patch BigSegmentPatch) (applied bool, err error)

	// SetLastUpToDate records that the store's data is complete as of the given time, which [BigSegmentStore.Metadata]
	// then returns.
	SetLastUpToDate(ctx context.Context, at ldtime.UnixMillisecondTime) error
}

// BigSegmentTooLargeError is returned by [BigSegmentWriter.ApplyPatch] if the database cannot hold the memberships of some
// contexts, because they would exceed its limit for one row. It wraps [ErrTooLarge].
type BigSegmentTooLargeError struct {
	// ContextHashes names the contexts, at least one.
	ContextHashes []string
	// Err says more, and wraps [ErrTooLarge]; nil if there is no more to say.
	Err error
}

// Error implements error. It names one of the contexts.
func (e *BigSegmentTooLargeError) Error() string {
	first := "none named"
	if len(e.ContextHashes) > 0 {
		first = fmt.Sprintf("the context with hash %q", e.ContextHashes[0])
	}
	if more := len(e.ContextHashes) - 1; more > 0 {
		first += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("the big segments of %s do not fit into the store: %v", first, e.Unwrap())
}

// Unwrap returns Err, or [ErrTooLarge] if that is nil.
func (e *BigSegmentTooLargeError) Unwrap() error {
	if e.Err == nil {
		return ErrTooLarge
	}
	return e.Err
}
