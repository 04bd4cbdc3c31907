package core

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
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
	// error.
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

// Equal reports whether both memberships say the same.
func (m BigSegmentMembership) Equal(other BigSegmentMembership) bool {
	return maps.Equal(m.included, other.included)
}

// BigSegmentPatch is one change to the membership of one big segment.
type BigSegmentPatch struct {
	// SegmentRef is the segment reference: the segment's key and generation.
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
type BigSegmentWriter interface {
	// Cursor returns the version of the last patch that was applied; empty means none.
	Cursor(ctx context.Context) (string, error)

	// ApplyPatch applies the patch and moves the cursor to its Version if the cursor equals its PreviousVersion, and
	// reports whether it did. The comparison, the changes and the move are one atomic step where the database can do
	// that. Where it cannot, the cursor moves last, so that a patch that was interrupted is applied again, which changes
	// nothing that was done before. Several patches of one version are passed one by one, each but the last with the
	// old cursor as both PreviousVersion and Version (the empty one at the beginning), so that the cursor moves with the last
	// and none is lost to a process that dies in between.
	ApplyPatch(ctx context.Context, patch BigSegmentPatch) (applied bool, err error)

	// SetLastUpToDate records that the store's data is complete as of the given time, which [BigSegmentStore.Metadata]
	// then returns.
	SetLastUpToDate(ctx context.Context, at ldtime.UnixMillisecondTime) error
}
