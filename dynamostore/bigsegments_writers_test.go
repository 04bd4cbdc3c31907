package dynamostore

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/core"
)

// A writer that another one overtakes in the middle of a long patch is refused, and writes nothing more.
func TestBigSegments_ApplyPatch_OvertakenInTheMiddle_WritesNothingMore(t *testing.T) {
	table, rec := freshTable(t), &recorder{}
	other := openBigSegments(t, table, "")
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	all := hashes(300)
	var writes atomic.Int64
	segments := newBigSegments(t, rec, table, func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.operation == "GetItem" || r.operation == "Query" || writes.Add(1) != 2 {
			return nil, nil //nolint:nilnil // passes the request on
		}
		patch := core.BigSegmentPatch{SegmentRef: "s.g1", Version: "other", Included: core.BigSegmentChanges{Remove: all}}
		applied, err := other.(core.BigSegmentWriter).ApplyPatch(t.Context(), patch)
		require.True(t, applied)
		return nil, err
	})
	applied, err := segments.ApplyPatch(t.Context(), includes("1", "", all))
	require.NoError(t, err)
	require.False(t, applied)
	for _, hash := range all {
		membership, err := other.Membership(t.Context(), hash)
		require.NoError(t, err)
		require.Zero(t, membership.Len(), hash)
	}
}

// Several writers follow the same revisions: one is near, one 30 ms away, and one is not ours and keeps to the rules of
// Relay Proxy. What they leave is what the revisions say.
func TestBigSegments_ApplyPatch_SeveralWriters_LeaveWhatTheRevisionsSay(t *testing.T) {
	const revisionCount, contexts = 20, 400
	revisions, want := randomRevisions(revisionCount, hashes(contexts))
	table := freshTable(t)
	p := startProxy(t)
	p.Infect(`{"type":"latency","stream":"downstream","attributes":{"latency":30}}`)
	near := openBigSegments(t, table, "").(*BigSegments)
	far, err := NewBigSegments(t.Context(), clientFor(t, "http://"+p.Address(), nil), table, nil)
	require.NoError(t, err)
	foreign := &foreignWriter{client: bareClient(t), table: table}
	g, ctx := errgroup.WithContext(t.Context())
	for _, w := range []revisionWriter{near, far, foreign} {
		g.Go(func() error { return followRevisions(ctx, w, revisions) })
	}
	require.NoError(t, g.Wait())
	wrong := 0
	for hash, membership := range want {
		got, err := near.Membership(t.Context(), hash)
		require.NoError(t, err)
		if !got.Equal(membership) {
			wrong++
		}
	}
	require.Zero(t, wrong, "wrong memberships of %d", contexts)
	require.NoError(t, near.Close())
	require.NoError(t, far.Close())
}

// revisionWriter is what a synchroniser needs to follow revisions.
type revisionWriter interface {
	Cursor(context.Context) (string, error)
	ApplyPatch(context.Context, core.BigSegmentPatch) (bool, error)
}

// followRevisions applies the patch that belongs at the cursor until the cursor is at the last one.
func followRevisions(ctx context.Context, w revisionWriter, revisions []core.BigSegmentPatch) error {
	for {
		cursor, err := w.Cursor(ctx)
		if err != nil {
			return err
		}
		next := slices.IndexFunc(revisions, func(p core.BigSegmentPatch) bool { return p.PreviousVersion == cursor })
		if next < 0 {
			return nil
		}
		if _, err := w.ApplyPatch(ctx, revisions[next]); err != nil {
			return err
		}
	}
}

// randomRevisions makes patches that each put about half of the contexts in or out of a segment, and says what is the case
// after the last one.
func randomRevisions(n int, hashes []string) ([]core.BigSegmentPatch, map[string]core.BigSegmentMembership) {
	const ref = "s.g1"
	random := rand.New(rand.NewPCG(1, uint64(n)))
	in := map[string]bool{}
	revisions := make([]core.BigSegmentPatch, n)
	for i := range revisions {
		patch := core.BigSegmentPatch{SegmentRef: ref, Version: strconv.Itoa(i + 1)}
		if i > 0 {
			patch.PreviousVersion = strconv.Itoa(i)
		}
		for _, hash := range hashes {
			switch {
			case random.IntN(2) == 0:
			case in[hash]:
				delete(in, hash)
				patch.Included.Remove = append(patch.Included.Remove, hash)
			default:
				in[hash] = true
				patch.Included.Add = append(patch.Included.Add, hash)
			}
		}
		revisions[i] = patch
	}
	want := make(map[string]core.BigSegmentMembership, len(hashes))
	for _, hash := range hashes {
		want[hash] = core.BigSegmentMembership{}
		if in[hash] {
			want[hash] = core.NewBigSegmentMembership([]string{ref}, nil)
		}
	}
	return revisions, want
}

// foreignWriter writes patches with the bare driver: transactions of some contexts each, all on the condition that the
// cursor is where the patch begins; the last one moves it.
type foreignWriter struct {
	client *dynamodb.Client
	table  string
}

func (w *foreignWriter) Cursor(ctx context.Context) (string, error) {
	key := keys{}.metadata()
	yes := true
	output, err := w.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &w.table, Key: key.attributes(), ConsistentRead: &yes})
	if err != nil {
		return "", err
	}
	version, _ := output.Item[lastVersionAttribute].(*types.AttributeValueMemberS)
	if version == nil {
		return "", nil
	}
	return version.Value, nil
}

func (w *foreignWriter) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	const atOnce = 40
	verbs := map[string]string{}
	for _, hash := range patch.Included.Add {
		verbs[hash] = "ADD"
	}
	for _, hash := range patch.Included.Remove {
		verbs[hash] = "DELETE"
	}
	steps := slices.Collect(slices.Chunk(slices.Sorted(maps.Keys(verbs)), atOnce))
	for i, step := range steps {
		items := []types.TransactWriteItem{w.cursor(patch, i == len(steps)-1)}
		for _, hash := range step {
			expression := verbs[hash] + " included :ref"
			items = append(items, types.TransactWriteItem{Update: &types.Update{
				TableName: &w.table, Key: keys{}.user(hash).attributes(), UpdateExpression: &expression,
				ExpressionAttributeValues: attributes{":ref": set(patch.SegmentRef)},
			}})
		}
		_, err := w.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
		switch {
		case isCode(err, codeConditionFailed), isCode(err, codeConflict):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return true, nil
}

func (w *foreignWriter) cursor(patch core.BigSegmentPatch, move bool) types.TransactWriteItem {
	condition, values := "lastVersion = :previous", attributes{":previous": text(patch.PreviousVersion)}
	if patch.PreviousVersion == "" {
		condition, values = "attribute_not_exists(lastVersion)", nil
	}
	key := keys{}.metadata().attributes()
	if !move {
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: &w.table, Key: key, ConditionExpression: &condition, ExpressionAttributeValues: values,
		}}
	}
	expression := "SET lastVersion = :version"
	if values == nil {
		values = attributes{}
	}
	values[":version"] = text(patch.Version)
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &w.table, Key: key, UpdateExpression: &expression, ConditionExpression: &condition,
		ExpressionAttributeValues: values,
	}}
}
