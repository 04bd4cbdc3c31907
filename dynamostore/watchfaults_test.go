package dynamostore

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// quietly hides the warnings that a test provokes.
func quietly(opts Options) Options {
	opts.Logger = slog.New(slog.DiscardHandler)
	return opts
}

// faults is an interceptor that a test changes while requests are under way.
type faults struct {
	mu  sync.Mutex
	now interceptor
}

func (f *faults) set(now interceptor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

func (f *faults) intercept(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
	f.mu.Lock()
	now := f.now
	f.mu.Unlock()
	if now == nil {
		return nil, nil //nolint:nilnil // passes the request on
	}
	return now(r, send)
}

// watched is a store that is watched through faults.
type watched struct {
	*faults

	rec     *recorder
	t       *testing.T
	store   *Store
	changes <-chan core.Change
	version int
}

func watchThroughFaults(t *testing.T, first interceptor) *watched {
	t.Helper()
	f := &faults{now: first}
	client, rec := recordingClient(t, f.intercept)
	store := newStore(t, client, freshStreamingTable(t), quietly(Options{WatchInterval: 10 * time.Millisecond}))
	return &watched{faults: f, rec: rec, t: t, store: store, changes: startWatch(t, store)}
}

// requireAlive writes something and waits for the change, before which others may be told. What was written before the
// watch started anew is not told, so that it writes again then.
func (w *watched) requireAlive() {
	w.t.Helper()
	for change := (core.Change{}); change != (core.Change{Kind: core.Flags, Key: "alive"}); change = nextChange(w.t, w.changes) {
		if change == (core.Change{}) {
			w.version++
			upsert(w.t, w.store, "alive", item("alive", w.version))
		}
	}
}

// once fails the next request with the operation.
func once(operation string, response func() *http.Response) interceptor {
	var done atomic.Bool
	return func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.operation != operation || done.Swap(true) {
			return nil, nil //nolint:nilnil // passes the request on
		}
		return response(), nil
	}
}

// Whatever makes the position in a shard unusable, the watch starts anew and says that anything may have changed.
func TestStore_Watch_PositionLost_StartsAnew(t *testing.T) {
	for _, code := range []string{
		"ExpiredIteratorException", "TrimmedDataAccessException", codeNotFound, codeAccessDenied, "ExpiredTokenException",
	} {
		t.Run(code, func(t *testing.T) {
			w := watchThroughFaults(t, nil)
			w.requireAlive()
			w.set(once("GetRecords", func() *http.Response { return failure(http.StatusBadRequest, code, "lost") }))
			require.Equal(t, core.Change{}, nextChange(t, w.changes))
			w.requireAlive()
		})
	}
}

// A fault of the service that is over soon loses nothing, and nothing needs to be read again.
func TestStore_Watch_ShortFault_LosesNothing(t *testing.T) {
	w := watchThroughFaults(t, nil)
	w.set(once("GetRecords", func() *http.Response {
		return failure(http.StatusInternalServerError, "InternalServerError", "fault")
	}))
	upsert(t, w.store, "a", item("a", 1))
	require.Equal(t, core.Change{Kind: core.Flags, Key: "a"}, nextChange(t, w.changes))
}

// While the service is throttling, it is asked less and less often; nothing is lost.
func TestStore_Watch_Throttled_SlowsDown(t *testing.T) {
	limited := func() *http.Response { return failure(http.StatusBadRequest, codeLimitExceeded, "too many readers") }
	w := watchThroughFaults(t, nil)
	w.set(always(limited, "GetRecords"))
	upsert(t, w.store, "a", item("a", 1))
	w.rec.take()
	began := time.Now()
	requireNoChange(t, w.changes, 500*time.Millisecond)
	most := 1 // each pause is at least 7/8 of 10 ms, 20 ms, 40 ms, …
	for pause := 10 * time.Millisecond; pause < 2*time.Since(began); pause *= 2 {
		most++
	}
	require.LessOrEqual(t, countOf(w.rec.take(), "GetRecords"), most)
	w.set(nil)
	require.Equal(t, core.Change{Kind: core.Flags, Key: "a"}, nextChange(t, w.changes))
}

// A watch that fails all the time takes nothing away from the retries of reads.
func TestStore_Watch_Failing_LeavesReadsTheirRetries(t *testing.T) {
	w := watchThroughFaults(t, nil)
	upsert(t, w.store, "a", item("a", 1))
	for range 30 {
		w.rec.take()
		w.set(func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
			if r.operation != "GetItem" || r.number == 1 {
				return failure(http.StatusInternalServerError, "InternalServerError", "fault"), nil
			}
			return nil, nil //nolint:nilnil // passes the request on
		})
		_, found, err := w.store.Get(t.Context(), core.Flags, "a")
		require.NoError(t, err)
		require.True(t, found)
	}
	w.set(nil)
	w.requireAlive()
}

// A watch that is throttled from its beginning begins when it is not any more.
func TestStore_Watch_ThrottledAtFirst_BeginsLater(t *testing.T) {
	w := watchThroughFaults(t, func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.operation == "GetRecords" && r.number < 4 || r.operation != "GetRecords" && r.number == 1 {
			return throttled(), nil
		}
		return nil, nil //nolint:nilnil // passes the request on
	})
	w.requireAlive()
}

// The stream that is disabled and enabled again is another one, and is found.
func TestStore_Watch_StreamDisabled_NextIsFound(t *testing.T) {
	w := watchThroughFaults(t, nil)
	w.requireAlive()
	setStream := func(on bool) {
		spec := &types.StreamSpecification{StreamEnabled: &on}
		if on {
			spec.StreamViewType = types.StreamViewTypeNewAndOldImages
		}
		_, err := bareClient(t).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
			TableName: aws.String(w.store.session.table), StreamSpecification: spec,
		})
		require.NoError(t, err)
	}
	setStream(false)
	require.Equal(t, core.Change{}, nextChange(t, w.changes), "the end of the stream")
	upsert(t, w.store, "unseen", item("unseen", 1))
	setStream(true)
	require.Equal(t, core.Change{}, nextChange(t, w.changes), "the next stream")
	w.requireAlive()
}

// A table that is deleted and made again is found.
func TestStore_Watch_TableReplaced_IsFound(t *testing.T) {
	w := watchThroughFaults(t, nil)
	recreate(t, bareClient(t), w.store.session.table, &TableOptions{Stream: true})
	require.Equal(t, core.Change{}, nextChange(t, w.changes), "the end of the stream")
	require.Equal(t, core.Change{}, nextChange(t, w.changes), "the next stream")
	w.requireAlive()
}

// splitting ends the shard of the table when it is told to, and shows children of it, each of which has all that the shard
// has. They are listed one look later, as they may be.
type splitting struct {
	t        *testing.T
	parent   string
	children []string
	looks    int
	mu       sync.Mutex
}

func (s *splitting) intercept(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.operation {
	case "GetRecords":
		if !strings.Contains(string(r.body), childIterator) {
			return answer(http.StatusOK, `{"Records":[]}`), nil // the end
		}
		return send([]byte(strings.ReplaceAll(string(r.body), childIterator, "")))
	case "GetShardIterator":
		if !strings.Contains(string(r.body), "TRIM_HORIZON") {
			return failure(http.StatusBadRequest, codeValidation, "children are read from their beginning"), nil
		}
		return s.childIterator(r, send)
	case "DescribeStream":
		if s.looks++; s.looks > 1 {
			return s.describe(r, send)
		}
	}
	return nil, nil //nolint:nilnil // passes the request on
}

// childIterator marks the positions in children.
const childIterator = "child-iterator"

func (s *splitting) childIterator(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
	body := string(r.body)
	for _, child := range s.children {
		body = strings.ReplaceAll(body, child, s.parent)
	}
	return s.edit(send, body, func(output map[string]any) {
		output["ShardIterator"] = childIterator + output["ShardIterator"].(string)
	})
}

func (s *splitting) describe(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
	return s.edit(send, string(r.body), func(output map[string]any) {
		stream := output["StreamDescription"].(map[string]any)
		shards := stream["Shards"].([]any)
		for _, child := range s.children {
			shards = append(shards, map[string]any{"ShardId": child, "ParentShardId": s.parent})
		}
		stream["Shards"] = shards
	})
}

// edit sends a request and changes the answer.
func (s *splitting) edit(
	send func([]byte) (*http.Response, error), body string, change func(map[string]any),
) (*http.Response, error) {
	response, err := send([]byte(body))
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	var output map[string]any
	require.NoError(s.t, json.NewDecoder(response.Body).Decode(&output))
	require.NoError(s.t, response.Body.Close())
	change(output)
	edited, err := json.Marshal(output)
	require.NoError(s.t, err)
	return answer(http.StatusOK, string(edited)), nil
}

// When a shard ends, its children are read from their beginning, however late they are listed.
func TestStore_Watch_ShardEnds_ChildrenAreFollowed(t *testing.T) {
	w := watchThroughFaults(t, nil)
	w.requireAlive()
	s := &splitting{t: t, parent: shardOf(t, w.store), children: []string{"shardId-child-1", "shardId-child-2"}}
	w.set(s.intercept)
	upsert(t, w.store, "early", item("early", 1))
	seen := map[core.Change]int{}
	for seen[core.Change{Kind: core.Flags, Key: "early"}] < len(s.children) {
		seen[nextChange(t, w.changes)]++
	}
	require.Zero(t, seen[core.Change{}], "nothing was lost")
	// What the parent held may be told again by a child that begins to read late; what came after it is told once by each.
	for quiet := time.After(100 * time.Millisecond); ; {
		select {
		case change := <-w.changes:
			require.Equal(t, core.Change{Kind: core.Flags, Key: "alive"}, change)
			continue
		case <-quiet:
		}
		break
	}
	operations := w.rec.take()
	require.Equal(t, 3, countOf(operations, "GetShardIterator"), "one at the beginning, and one for each child")
	require.LessOrEqual(t, countOf(operations, "DescribeStream"), 6)
}

func shardOf(t *testing.T, store *Store) string {
	t.Helper()
	w := newWatcher(store.session, nil)
	arn, err := store.session.findStream(t.Context())
	require.NoError(t, err)
	shards, err := w.listShards(t.Context(), arn)
	require.NoError(t, err)
	require.Len(t, shards, 1)
	return aws.ToString(shards[0].ShardId)
}

// The list of shards comes in pages, of which some are empty.
func TestStore_Watch_ShardsInPages(t *testing.T) {
	w := watchThroughFaults(t, func(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
		switch {
		case r.operation != "DescribeStream":
			return nil, nil //nolint:nilnil // passes the request on
		case r.number < 3:
			return answer(http.StatusOK, fmt.Sprintf(`{"StreamDescription":{"StreamStatus":"ENABLED","Shards":[`+
				`{"ShardId":"old","SequenceNumberRange":{"StartingSequenceNumber":"1","EndingSequenceNumber":"2"}}],`+
				`"LastEvaluatedShardId":"page-%d"}}`, r.number)), nil
		}
		const position = `"ExclusiveStartShardId":"page-2"`
		if !strings.Contains(string(r.body), position) {
			return failure(http.StatusBadRequest, codeValidation, "another page was expected"), nil
		}
		return send([]byte(strings.ReplaceAll(string(r.body), position, `"Limit":100`)))
	})
	w.requireAlive()
}

// A stream of very many shards would cost too much.
func TestStore_Watch_TooManyShards_IsRefused(t *testing.T) {
	shards := make([]string, maxShards+1)
	for i := range shards {
		shards[i] = fmt.Sprintf(`{"ShardId":"shard-%d"}`, i)
	}
	client, rec := recordingClient(t, always(func() *http.Response {
		return answer(http.StatusOK, `{"StreamDescription":{"StreamStatus":"ENABLED","Shards":[`+strings.Join(shards, ",")+`]}}`)
	}, "DescribeStream"))
	store := newStore(t, client, freshStreamingTable(t), Options{})
	err := store.Watch(t.Context(), func(core.Change) { t.Error("there is nothing to tell") })
	require.ErrorIs(t, err, core.ErrTooLarge)
	require.ErrorContains(t, err, "101 open shards")
	require.LessOrEqual(t, countOf(rec.take(), "GetRecords"), maxShards)
}

// A server that hangs is noticed, and when it answers again anything may have changed.
func TestStore_Watch_Hang_IsNoticedAndHeals(t *testing.T) {
	p, table := startProxy(t), freshStreamingTable(t)
	other := openStore(t, table, Options{})
	for owner, store := range storesThrough(t, "http://"+p.Listen, table, quietly(impatient())) {
		changes := startWatch(t, store)
		p.infect(`{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)
		upsert(t, other, owner, item(owner, 1))
		requireNoChange(t, changes, 3*impatient().ReadTimeout)
		p.heal()
		require.Equal(t, core.Change{}, nextChange(t, changes), owner)
		upsert(t, other, owner, item(owner, 2))
		require.Equal(t, core.Change{Kind: core.Flags, Key: owner}, nextChange(t, changes), owner)
	}
}

// A watch ends at once while the server is silent, with its context and with its store.
func TestStore_Watch_MuteServer_Ends(t *testing.T) {
	endpoint, accepted := muteServer(t)
	for want, end := range map[error]func(*Store, context.CancelFunc){
		context.Canceled: func(_ *Store, cancel context.CancelFunc) { cancel() },
		core.ErrClosed:   func(store *Store, _ context.CancelFunc) { require.NoError(t, store.Close()) },
	} {
		for owner, store := range storesThrough(t, endpoint, "table", quietly(Options{ReadTimeout: time.Minute})) {
			ctx, cancel := context.WithCancel(context.Background())
			errs := make(chan error, 1)
			go func() {
				errs <- store.Watch(ctx, func(core.Change) { t.Error("there is nothing to tell") })
			}()
			<-accepted
			begin := time.Now()
			end(store, cancel)
			require.ErrorIs(t, <-errs, want, owner)
			require.Less(t, time.Since(begin), soon, owner)
			cancel()
		}
	}
}
