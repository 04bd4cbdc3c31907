package consulstore

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

func includes(previous, version string, hashes []string) core.BigSegmentPatch {
	return core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: previous, Version: version, Included: core.BigSegmentChanges{Add: hashes},
	}
}

func requireCursor(t *testing.T, segments *BigSegments, want string) {
	t.Helper()
	cursor, err := segments.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, cursor)
}

// requireIn expects that a segment includes the contexts, or says nothing about them.
func requireIn(t *testing.T, segments *BigSegments, ref string, hashes []string, included bool) {
	t.Helper()
	for _, hash := range hashes {
		membership, err := segments.Membership(t.Context(), hash)
		require.NoError(t, err)
		require.Equal(t, included, membership.CheckMembership(ref).BoolValue(), hash)
	}
}

// Contexts whose values are full are named, wherever in a patch they are. The cursor stays until the patch comes without them.
func TestBigSegments_ApplyPatch_FullValues_AreTooLarge(t *testing.T) {
	prefix, b := storetest.Prefix(), newBare(t, containers.Consul(t))
	segments, _ := recordedSegments(t, prefix)
	all := hashes(130)
	full := []string{all[3], all[40], all[129]}
	for _, hash := range full {
		refs := strings.Repeat(`"segment-with-a-name.g1",`, 15_600)
		stored := `{"included":[` + strings.TrimSuffix(refs, ",") + `],"excluded":[]}`
		b.write(t, segments.kv.keys.user(hash), []byte(stored))
	}
	patch := includes("", "1", all)
	patch.SegmentRef = strings.Repeat("x", 4000)
	applied, err := segments.ApplyPatch(t.Context(), patch)
	require.ErrorIs(t, err, core.ErrTooLarge)
	require.ErrorContains(t, err, "kv_max_value_size")
	require.False(t, applied)
	var tooLarge *core.BigSegmentTooLargeError
	require.ErrorAs(t, err, &tooLarge)
	require.Equal(t, full, tooLarge.ContextHashes)
	requireCursor(t, segments, "")

	patch.Included.Add = slices.DeleteFunc(all, func(hash string) bool { return slices.Contains(full, hash) })
	applied, err = segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.True(t, applied)
	requireIn(t, segments, patch.SegmentRef, patch.Included.Add, true)
	requireCursor(t, segments, "1")

	patch = core.BigSegmentPatch{SegmentRef: "segment-with-a-name.g1", PreviousVersion: "1", Version: "2"}
	patch.Included.Remove = full
	applied, err = segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.True(t, applied, "a reference can be taken out of a full value")
}

// The limit of a value is that of the server, not of the options.
func TestBigSegments_ApplyPatch_SmallerLimitOfTheServer_IsTooLarge(t *testing.T) {
	server := containers.StartConsul(t, "-hcl", "limits { kv_max_value_size = 2000, txn_max_req_len = 100000 }")
	segments, err := NewBigSegments(t.Context(), newBare(t, server.Address).Client, nil)
	require.NoError(t, err)
	patch := includes("", "", hashes(100))
	patch.SegmentRef = strings.Repeat("x", 1500)
	applied, err := segments.ApplyPatch(t.Context(), patch)
	require.NoError(t, err)
	require.True(t, applied, "sent in parts")
	full := hashes(2)
	applied, err = segments.ApplyPatch(t.Context(), core.BigSegmentPatch{
		SegmentRef: strings.Repeat("y", 1000), Version: "1",
		Included: core.BigSegmentChanges{Add: append(full, "new")},
	})
	require.False(t, applied)
	var tooLarge *core.BigSegmentTooLargeError
	require.ErrorAs(t, err, &tooLarge)
	require.Equal(t, full, tooLarge.ContextHashes)
	requireCursor(t, segments, "")
	require.NoError(t, segments.Close())
}

// Two writers follow the same revisions, one of them 30 ms away. What they leave is what the revisions say.
func TestBigSegments_ApplyPatch_TwoWritersOneFar_LeaveWhatTheRevisionsSay(t *testing.T) {
	const revisions = 20
	all, prefix := hashes(200), storetest.Prefix()
	near, far := newBare(t, containers.Consul(t)), newBare(t, containers.Consul(t))
	far.delay.Store(int64(30 * time.Millisecond))
	var writers []*BigSegments
	for _, driver := range []*bare{near, far} {
		segments, err := NewBigSegments(t.Context(), driver.Client, &Options{Prefix: prefix})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, segments.Close()) })
		writers = append(writers, segments)
	}
	g, ctx := errgroup.WithContext(t.Context())
	for _, writer := range writers {
		g.Go(func() error { return followRevisions(ctx, writer, all, revisions) })
	}
	require.NoError(t, g.Wait())
	requireIn(t, writers[0], "s.g1", all[:100], false)
	requireIn(t, writers[0], "s.g1", all[100:], true)
}

// followRevisions moves the cursor to n. Each revision puts one half of the contexts into a segment and takes out the other.
func followRevisions(ctx context.Context, writer *BigSegments, all []string, n int) error {
	for {
		cursor, err := writer.Cursor(ctx)
		if err != nil {
			return err
		}
		at := 0
		if cursor != "" {
			if _, err := fmt.Sscan(cursor, &at); err != nil {
				return err
			}
		}
		if at == n {
			return nil
		}
		in, out := all[:100], all[100:]
		if at%2 == 1 {
			in, out = out, in
		}
		_, err = writer.ApplyPatch(ctx, core.BigSegmentPatch{
			SegmentRef: "s.g1", PreviousVersion: versionText(at), Version: versionText(at + 1),
			Included: core.BigSegmentChanges{Add: in, Remove: out},
		})
		if err != nil {
			return err
		}
	}
}

// A writer that another one overtakes in the middle of a long patch is refused, and writes nothing more.
func TestBigSegments_ApplyPatch_OvertakenInTheMiddle_WritesNothingMore(t *testing.T) {
	prefix, all := storetest.Prefix(), hashes(200)
	segments, requests := recordedSegments(t, prefix)
	other, _ := recordedSegments(t, prefix)
	var transactions atomic.Int64
	requests.answer = func(request *http.Request) *http.Response {
		if request.URL.Path == "/v1/txn" && transactions.Add(1) == 4 { // Every other one reads.
			patch := core.BigSegmentPatch{SegmentRef: "s.g1", Version: "other", Included: core.BigSegmentChanges{Remove: all}}
			applied, err := other.ApplyPatch(t.Context(), patch)
			require.NoError(t, err)
			require.True(t, applied)
		}
		return nil
	}
	applied, err := segments.ApplyPatch(t.Context(), includes("", "1", all))
	require.NoError(t, err)
	require.False(t, applied)
	requireIn(t, segments, "s.g1", all, false)
	requireCursor(t, segments, "other")
}

// A long patch that its context ends in the middle leaves the cursor, and is completed by applying it again.
func TestBigSegments_ApplyPatch_ContextEnds_IsCompletedNextTime(t *testing.T) {
	const delay, contexts = 100 * time.Millisecond, 63 * 9
	driver, prefix := newBare(t, containers.Consul(t)), storetest.Prefix()
	segments, err := NewBigSegments(t.Context(), driver.Client, &Options{Prefix: prefix})
	require.NoError(t, err)
	driver.delay.Store(int64(delay))
	ctx, cancel := context.WithTimeout(t.Context(), 5*delay)
	defer cancel()
	_, err = segments.ApplyPatch(ctx, includes("", "1", hashes(contexts)))
	require.Equal(t, context.DeadlineExceeded, err)
	requireCursor(t, segments, "")
	written := len(driver.keysUnder(t, prefix+"/big_segments_user/"))
	require.Less(t, written, contexts)
	driver.delay.Store(0)
	applied, err := segments.ApplyPatch(t.Context(), includes("", "1", hashes(contexts)))
	require.NoError(t, err)
	require.True(t, applied)
	require.Len(t, driver.keysUnder(t, prefix+"/big_segments_user/"), contexts)
	requireCursor(t, segments, "1")
	require.NoError(t, segments.Close())
}
