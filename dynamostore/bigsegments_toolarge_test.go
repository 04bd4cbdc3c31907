package dynamostore

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// references makes so many references of segments, of so many bytes each.
func references(n, size int) []string {
	refs := make([]string, n)
	for i := range refs {
		refs[i] = fmt.Sprintf("%0*d.g1", size-len(".g1"), i)
	}
	return refs
}

// Contexts whose items are full are named, wherever in a patch they are. The cursor stays until the patch comes without them.
func TestBigSegments_ApplyPatch_FullItems_AreTooLarge(t *testing.T) {
	table, client := freshTable(t), bareClient(t)
	segments := newBigSegments(t, &recorder{}, table, nil)
	all := hashes(250)
	full := []string{all[3], all[40], all[249]}
	for _, hash := range full {
		putRaw(t, client, table, "big_segments_user", hash, attributes{"included": set(references(12_795, 32)...)})
	}
	patch := includes("1", "", all)
	patch.SegmentRef = references(1, 100)[0]
	applied, err := segments.ApplyPatch(t.Context(), patch)
	require.ErrorIs(t, err, core.ErrTooLarge)
	require.False(t, applied)
	var tooLarge *core.BigSegmentTooLargeError
	require.ErrorAs(t, err, &tooLarge)
	require.Equal(t, full, tooLarge.ContextHashes)
	requireCursor(t, segments, "")

	patch.Included.Add = slices.DeleteFunc(all, func(hash string) bool { return slices.Contains(full, hash) })
	applied, err = segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.True(t, applied)
	requireIncluded(t, segments, patch.SegmentRef, patch.Included.Add)
	requireCursor(t, segments, "1")

	patch = core.BigSegmentPatch{SegmentRef: references(1, 32)[0], PreviousVersion: "1", Version: "2"}
	patch.Included.Remove = full
	applied, err = segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.True(t, applied, "a reference can be taken out of a full item")
}

func requireCursor(t *testing.T, segments *BigSegments, want string) {
	t.Helper()
	cursor, err := segments.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, cursor)
}

// A lone context whose item is full, or whose new reference is larger than an item, does not move the cursor either.
func TestBigSegments_ApplyPatch_LoneFullItem_IsTooLarge(t *testing.T) {
	table := freshTable(t)
	segments := newBigSegments(t, &recorder{}, table, nil)
	patch := includes("1", "", []string{"h"})
	patch.SegmentRef = string(make([]byte, 410<<10))
	_, err := segments.ApplyPatch(t.Context(), patch)
	var tooLarge *core.BigSegmentTooLargeError
	require.ErrorAs(t, err, &tooLarge)
	require.Equal(t, []string{"h"}, tooLarge.ContextHashes)
	requireCursor(t, segments, "")
}

// Items of which DynamoDB takes no 99 in a transaction, because they have more than 4 MB together, are changed in smaller
// ones. DynamoDB Local does not mind, so that the refusals come from the test, in each form that a refusal may have.
func TestBigSegments_ApplyPatch_LargeItems_InSmallerTransactions(t *testing.T) {
	const most = 30
	for _, refusal := range []func() *http.Response{
		func() *http.Response { return failure(http.StatusBadRequest, codeValidation, "too large") },
		func() *http.Response { return cancellation() },
		func() *http.Response { return cancellation("None", "ValidationError") },
	} {
		rec, table := &recorder{}, freshTable(t)
		segments := newBigSegments(t, rec, table, func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
			if r.operation == "TransactWriteItems" && bytes.Count(r.body, []byte("TableName")) > most {
				return refusal(), nil
			}
			return nil, nil //nolint:nilnil // passes the request on
		})
		applied, err := segments.ApplyPatch(t.Context(), includes("1", "", hashes(40)))
		require.NoError(t, err)
		require.True(t, applied)
		require.Equal(t, 3, countOf(rec.take(), "TransactWriteItems"))
		requireIncluded(t, segments, "s.g1", hashes(40))
		requireCursor(t, segments, "1")
	}
}

// A damaged item is no full one.
func TestBigSegments_ApplyPatch_DamagedItem_IsCorrupt(t *testing.T) {
	table := freshTable(t)
	segments := newBigSegments(t, &recorder{}, table, nil)
	putRaw(t, bareClient(t), table, "big_segments_user", "h", attributes{"included": text("s.g1")})
	_, err := segments.ApplyPatch(t.Context(), includes("1", "", append(hashes(5), "h")))
	require.ErrorIs(t, err, core.ErrCorrupt)
	require.ErrorContains(t, err, `"h"`)
}
