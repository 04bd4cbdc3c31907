package dynamostore

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

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
	opts := Options{}
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

// A patch is a transaction for every 99 contexts, one after the other, of which the last moves the cursor. One that does not
// apply is a single one.
func TestBigSegments_ApplyPatch_Requests(t *testing.T) {
	rec := &recorder{}
	segments := newBigSegments(t, rec, freshTable(t), nil)
	applied, err := segments.ApplyPatch(t.Context(), includes("1", "", hashes(99)))
	require.NoError(t, err)
	require.True(t, applied)
	require.Equal(t, []string{"Query", "TransactWriteItems"}, rec.take(), "the first call looks at the table")
	for _, patch := range []struct {
		core.BigSegmentPatch
		applied  bool
		requests int
	}{
		{includes("9", "7", hashes(99)), false, 1},
		{includes("2", "1", hashes(199)), true, 3},
		{includes("3", "1", hashes(199)), false, 1},
		{includes("2", "2", hashes(100)), true, 2},
		{includes("3", "2", nil), true, 1},
		{includes("3", "3", nil), true, 1},
	} {
		applied, err := segments.ApplyPatch(t.Context(), patch.BigSegmentPatch)
		require.NoError(t, err)
		require.Equal(t, patch.applied, applied)
		require.Equal(t, slices.Repeat([]string{"TransactWriteItems"}, patch.requests), rec.take())
	}
}

// A long patch that breaks off leaves the cursor where it was, and can be applied again.
func TestBigSegments_ApplyPatch_Interrupted_AppliesAgain(t *testing.T) {
	rec := &recorder{}
	broken := func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.operation == "TransactWriteItems" && r.number > 2 {
			return failure(http.StatusBadRequest, "AccessDeniedException", "no more"), nil
		}
		return nil, nil //nolint:nilnil // passes the request on
	}
	table := freshTable(t)
	segments := newBigSegments(t, rec, table, broken)
	patch := includes("1", "", hashes(300))
	applied, err := segments.ApplyPatch(t.Context(), patch)
	require.ErrorIs(t, err, core.ErrReadOnly)
	require.False(t, applied)
	require.Equal(t, 198, count(t, bareClient(t), table, "big_segments_user"))
	requireCursor(t, segments, "")

	rec.intercept = nil
	applied, err = segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.True(t, applied)
	requireIncluded(t, segments, "s.g1", hashes(300))
}

func requireIncluded(t *testing.T, segments *BigSegments, ref string, hashes []string) {
	t.Helper()
	for _, hash := range hashes {
		membership, err := segments.Membership(t.Context(), hash)
		require.NoError(t, err)
		require.True(t, membership.CheckMembership(ref).BoolValue(), hash)
	}
}

// A step whose answer is lost, and which is therefore sent again, is neither refused nor executed twice, whichever it is.
func TestBigSegments_ApplyPatch_AnswerLost(t *testing.T) {
	for step := 1; step <= 3; step++ {
		segments := newBigSegments(t, &recorder{}, freshTable(t), func(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
			if r.operation != "TransactWriteItems" || r.number != step {
				return nil, nil //nolint:nilnil // passes the request on
			}
			response, err := send(r.body)
			if err != nil {
				return nil, err
			}
			require.Equal(t, http.StatusOK, response.StatusCode)
			return failure(http.StatusServiceUnavailable, "ServiceUnavailable", "too late"), response.Body.Close()
		})
		applied, err := segments.ApplyPatch(t.Context(), includes("1", "", hashes(250)))
		require.NoError(t, err)
		require.True(t, applied, "step %d", step)
		requireIncluded(t, segments, "s.g1", hashes(250))
	}
}

// Other writers' transactions, and limits of the rate, are waited for.
func TestBigSegments_ApplyPatch_Conflicts_AreTriedAgain(t *testing.T) {
	segments := newBigSegments(t, &recorder{}, freshTable(t), func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		switch {
		case r.operation != "TransactWriteItems" || r.number%4 == 0:
			return nil, nil //nolint:nilnil // passes the request on
		case r.number%4 == 1:
			return cancellation("TransactionConflict", "None"), nil
		case r.number%4 == 2:
			return cancellation("None", "ThrottlingError"), nil
		}
		return failure(http.StatusBadRequest, codeInProgress, "still at it"), nil
	})
	applied, err := segments.ApplyPatch(t.Context(), includes("1", "", hashes(150)))
	require.NoError(t, err)
	require.True(t, applied)
	requireIncluded(t, segments, "s.g1", hashes(150))
}

// A context that ends in the middle ends the patch, whose cursor stays.
func TestBigSegments_ApplyPatch_ContextEndsInTheMiddle(t *testing.T) {
	const latency, steps = 300, 9
	table, p := freshTable(t), startProxy(t)
	segments, err := NewBigSegments(t.Context(), clientFor(t, "http://"+p.Address(), nil), table, nil)
	require.NoError(t, err)
	applied, err := segments.ApplyPatch(t.Context(), includes("1", "", hashes(99*steps)))
	require.NoError(t, err)
	require.True(t, applied)

	p.Infect(fmt.Sprintf(`{"type":"latency","stream":"downstream","attributes":{"latency":%d}}`, latency))
	_, err = segments.ApplyPatch(within(t, 3*latency*time.Millisecond), includes("2", "1", hashes(99*steps)))
	require.Equal(t, context.DeadlineExceeded, err)
	p.Heal()
	requireCursor(t, segments, "1")
	require.NoError(t, segments.Close())
}

func TestBigSegments_ApplyPatch_Invalid(t *testing.T) {
	rec := &recorder{}
	segments := newBigSegments(t, rec, freshTable(t), nil)
	for name, patch := range map[string]core.BigSegmentPatch{
		"no reference":      {Version: "1", Included: core.BigSegmentChanges{Add: []string{"h"}}},
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
