package consulstore

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

func hashes(n int) []string {
	hashes := make([]string, n)
	for i := range hashes {
		hashes[i] = core.BigSegmentContextHash(fmt.Sprint("user-", i))
	}
	return hashes
}

// recordedSegments makes a big segment store whose requests are noted.
func recordedSegments(t *testing.T, prefix string) (*BigSegments, *recorder) {
	t.Helper()
	store, requests := recordedStore(t, &Options{Prefix: prefix})
	segments, err := NewBigSegments(t.Context(), store.kv.client, &Options{Prefix: prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, segments.Close()) })
	return segments, requests
}

// Reading is one request; a patch is two for each 63 contexts, and one for the cursor.
func TestBigSegments_Requests_AreFew(t *testing.T) {
	ctx := t.Context()
	segments, requests := recordedSegments(t, storetest.Prefix())
	for _, read := range []func() error{
		func() error { _, err := segments.Metadata(ctx); return err },
		func() error { _, err := segments.Membership(ctx, hashes(1)[0]); return err },
		func() error { _, err := segments.Cursor(ctx); return err },
		func() error { return segments.SetLastUpToDate(ctx, 1) },
	} {
		require.NoError(t, read())
		require.Len(t, requests.take(), 1)
	}
	for version, n := range []int{1, 63, 64, 126} {
		applied, err := segments.ApplyPatch(ctx, core.BigSegmentPatch{
			SegmentRef: fmt.Sprint("s.g", version), PreviousVersion: versionText(version), Version: versionText(version + 1),
			Included: core.BigSegmentChanges{Add: hashes(n)},
		})
		require.NoError(t, err)
		require.True(t, applied)
		require.Len(t, requests.take(), 1+2*((n+62)/63))
	}
}

func versionText(version int) string {
	if version == 0 {
		return ""
	}
	return strconv.Itoa(version)
}

// A large patch that is interrupted leaves the cursor where it was, and is completed by applying it again; one that another
// writer overtakes is not applied.
func TestBigSegments_ApplyPatch_Interrupted(t *testing.T) {
	ctx, prefix := t.Context(), storetest.Prefix()
	segments, requests := recordedSegments(t, prefix)
	patch := core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: hashes(200)}}
	var writes atomic.Int64
	b := newBare(t, containers.Consul(t))
	onThirdTransaction := func(act func() *http.Response) {
		writes.Store(0)
		requests.answer = func(request *http.Request) *http.Response {
			if request.URL.Path == "/v1/txn" && writes.Add(1) == 4 { // Every other one reads.
				return act()
			}
			return nil
		}
	}
	onThirdTransaction(func() *http.Response {
		return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}, Body: http.NoBody}
	})
	_, err := segments.ApplyPatch(ctx, patch)
	require.ErrorIs(t, err, core.ErrUnavailable)
	cursor, err := segments.Cursor(ctx)
	require.NoError(t, err)
	require.Empty(t, cursor)
	require.Len(t, b.keysUnder(t, prefix+"/big_segments_user/"), 63)

	onThirdTransaction(func() *http.Response {
		b.write(t, prefix+"/big_segments_cursor", []byte("other"))
		return nil
	})
	applied, err := segments.ApplyPatch(ctx, patch)
	require.NoError(t, err)
	require.False(t, applied, "the cursor was moved meanwhile")

	requests.answer = nil
	patch.PreviousVersion = "other"
	applied, err = segments.ApplyPatch(ctx, patch)
	require.NoError(t, err)
	require.True(t, applied)
	require.Len(t, b.keysUnder(t, prefix+"/big_segments_user/"), 200)
}

// A patch whose contexts other writers keep changing is a conflict.
func TestBigSegments_ApplyPatch_AlwaysLosing_IsConflict(t *testing.T) {
	prefix, b := storetest.Prefix(), newBare(t, containers.Consul(t))
	segments, requests := recordedSegments(t, prefix)
	var n atomic.Int64
	requests.answer = func(request *http.Request) *http.Response {
		if request.URL.Path == "/v1/txn" {
			b.write(t, prefix+"/big_segments_user/h", fmt.Appendf(nil, `{"included":["other.g%d"]}`, n.Add(1)))
		}
		return nil
	}
	_, err := segments.ApplyPatch(t.Context(), core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"h"}},
	})
	require.ErrorIs(t, err, core.ErrConflict)
}

// Memberships of many bytes are split over transactions, and one over the limit is refused.
func TestBigSegments_LargeMemberships(t *testing.T) {
	ctx, prefix, b := t.Context(), storetest.Prefix(), newBare(t, containers.Consul(t))
	segments, _ := recordedSegments(t, prefix)
	large := sizedMembership(100_000)
	for _, hash := range []string{"a", "b", "c", "d", "e"} {
		b.write(t, prefix+"/big_segments_user/"+hash, large)
	}
	patch := core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"a", "b", "c", "d", "e"}},
	}
	applied, err := segments.ApplyPatch(ctx, patch)
	require.NoError(t, err)
	require.True(t, applied)
	for _, hash := range patch.Included.Add {
		membership, err := segments.Membership(ctx, hash)
		require.NoError(t, err)
		require.True(t, membership.CheckMembership("s.g1").BoolValue())
		require.Equal(t, 2, membership.Len())
	}

	pair := &api.KVPair{Key: prefix + "/big_segments_user/f", Value: sizedMembership(450_000)}
	_, err = b.KV().Put(pair, nil)
	require.NoError(t, err)
	_, err = segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: "1", Version: "2", Included: core.BigSegmentChanges{Add: []string{"f"}},
	})
	require.ErrorIs(t, err, core.ErrTooLarge)
	cursor, err := segments.Cursor(ctx)
	require.NoError(t, err)
	require.Equal(t, "1", cursor)
}

func sizedMembership(size int) []byte {
	ref := make([]byte, size)
	for i := range ref {
		ref[i] = 'x'
	}
	return fmt.Appendf(nil, `{"included":[%q],"excluded":[]}`, ref)
}
