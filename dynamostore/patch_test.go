package dynamostore

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func newBigSegments(t *testing.T, rec *recorder, table string, intercept interceptor) *BigSegments {
	t.Helper()
	rec.intercept = intercept
	client := clientFor(t, forOpen(t, Options{}).Endpoint, func(next http.RoundTripper) http.RoundTripper {
		rec.next = next
		return rec
	})
	opts := Options{InitConcurrency: 4}
	segments, err := NewBigSegments(t.Context(), client, table, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, segments.Close()) })
	return segments
}

func hashes(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = core.BigSegmentContextHash(fmt.Sprint("user-", i))
	}
	return all
}

func includes(version, previous string, hashes []string) core.BigSegmentPatch {
	return core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: previous, Version: version, Included: core.BigSegmentChanges{Add: hashes},
	}
}

// A small patch is one transaction, also if it does not apply; in a large one the cursor is first and last.
func TestBigSegments_ApplyPatch_Requests(t *testing.T) {
	rec := &recorder{}
	segments := newBigSegments(t, rec, freshTable(t), nil)
	applied, err := segments.ApplyPatch(t.Context(), includes("1", "", hashes(99)))
	require.NoError(t, err)
	require.True(t, applied)
	require.Equal(t, []string{"Query", "TransactWriteItems"}, rec.take(), "the first call looks at the table")
	applied, err = segments.ApplyPatch(t.Context(), includes("9", "7", hashes(99)))
	require.NoError(t, err)
	require.False(t, applied)
	require.Equal(t, []string{"TransactWriteItems"}, rec.take())

	applied, err = segments.ApplyPatch(t.Context(), includes("2", "1", hashes(100)))
	require.NoError(t, err)
	require.True(t, applied)
	last := rec.seen[len(rec.seen)-1]
	require.Contains(t, string(last.body), "big_segments_metadata")
	operations := rec.take()
	require.Equal(t, "GetItem", operations[0])
	require.Equal(t, 101, countOf(operations, "UpdateItem"))
	applied, err = segments.ApplyPatch(t.Context(), includes("3", "1", hashes(100)))
	require.NoError(t, err)
	require.False(t, applied)
	require.Equal(t, []string{"GetItem"}, rec.take())
}

// A large patch that breaks off leaves the cursor where it was, and can be applied again.
func TestBigSegments_ApplyPatch_Interrupted_AppliesAgain(t *testing.T) {
	rec := &recorder{}
	broken := func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.operation == "UpdateItem" && r.number > 120 {
			return failure(http.StatusBadRequest, "AccessDeniedException", "no more"), nil
		}
		return nil, nil //nolint:nilnil // passes the request on
	}
	segments := newBigSegments(t, rec, freshTable(t), broken)
	patch := includes("1", "", hashes(300))
	applied, err := segments.ApplyPatch(t.Context(), patch)
	require.ErrorIs(t, err, core.ErrReadOnly)
	require.False(t, applied)
	cursor, err := segments.Cursor(t.Context())
	require.NoError(t, err)
	require.Empty(t, cursor)

	rec.intercept = nil
	applied, err = segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.True(t, applied)
	for _, hash := range hashes(300) {
		membership, err := segments.Membership(t.Context(), hash)
		require.NoError(t, err)
		require.True(t, membership.Equal(core.NewBigSegmentMembership([]string{"s.g1"}, nil)))
	}
}

// The move of the cursor may be repeated if its answer was lost, and be overtaken by another writer.
func TestBigSegments_ApplyPatch_CursorAnswerLostOrOvertaken(t *testing.T) {
	for name, overtaken := range map[string]bool{"answer lost": false, "overtaken": true} {
		table, rec := freshTable(t), &recorder{}
		other := openBigSegments(t, table, "").(*BigSegments)
		segments := newBigSegments(t, rec, table, func(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
			if r.operation != "UpdateItem" || r.number != 101 {
				return nil, nil //nolint:nilnil // passes the request on
			}
			if overtaken {
				_, err := other.ApplyPatch(t.Context(), includes("other", "", hashes(1)))
				return nil, err
			}
			response, err := send(r.body)
			if err != nil {
				return nil, err
			}
			return failure(http.StatusServiceUnavailable, "ServiceUnavailable", "too late"), response.Body.Close()
		})
		applied, err := segments.ApplyPatch(t.Context(), includes("1", "", hashes(100)))
		require.NoError(t, err, name)
		require.Equal(t, !overtaken, applied, name)
		require.NoError(t, other.Close())
	}
}

func TestBigSegments_ApplyPatch_Invalid(t *testing.T) {
	rec := &recorder{}
	segments := newBigSegments(t, rec, freshTable(t), nil)
	for name, patch := range map[string]core.BigSegmentPatch{
		"no reference":      {Version: "1"},
		"reference is not":  {SegmentRef: "\xff", Version: "1"},
		"version is not":    {SegmentRef: "s.g1", Version: "\xff"},
		"empty hash":        includes("1", "", []string{"a", ""}),
		"hash is too long":  includes("1", "", []string{string(make([]byte, maxKey+1))}),
		"hash is not UTF-8": includes("1", "", []string{"\xff"}),
	} {
		applied, err := segments.ApplyPatch(t.Context(), patch)
		require.ErrorIs(t, err, core.ErrInvalid, name)
		require.False(t, applied)
	}
	membership, err := segments.Membership(t.Context(), "")
	require.NoError(t, err)
	require.Zero(t, membership.Len())
	require.Equal(t, []string{"Query"}, rec.take(), "nothing but the look at the table")
}

// What is both added and removed is removed, as if both had been done in that order.
func TestBigSegments_ApplyPatch_AddedAndRemoved(t *testing.T) {
	segments := newBigSegments(t, &recorder{}, freshTable(t), nil)
	patch := includes("1", "", []string{"h", "h", "kept"})
	patch.Included.Remove = []string{"h", "h"}
	patch.Excluded = core.BigSegmentChanges{Add: []string{"h"}, Remove: []string{"kept"}}
	applied, err := segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.True(t, applied)
	for hash, want := range map[string]core.BigSegmentMembership{
		"h": core.NewBigSegmentMembership(nil, []string{"s.g1"}), "kept": core.NewBigSegmentMembership([]string{"s.g1"}, nil),
	} {
		membership, err := segments.Membership(t.Context(), hash)
		require.NoError(t, err)
		require.True(t, membership.Equal(want), hash)
	}
}
