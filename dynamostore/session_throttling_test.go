package dynamostore

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

func throttled() *http.Response {
	return failure(http.StatusBadRequest, "ProvisionedThroughputExceededException", "The level of configured throughput was exceeded")
}

// A server that leaves a part of every batch for a while, and refuses some whole, gets everything in the end.
func TestStore_Init_UnprocessedForAWhile_StoresAll(t *testing.T) {
	client, rec := recordingClient(t, nil)
	rec.intercept = func(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
		switch {
		case r.operation != "BatchWriteItem" || r.number > 12:
			return nil, nil //nolint:nilnil // passes the request on
		case r.number%5 == 0:
			return throttled(), nil
		case r.number%7 == 0:
			return failure(http.StatusInternalServerError, "InternalServerError", "fault"), nil
		}
		return leaving(t, r, r.number%3*4, send)
	}
	table := freshTable(t)
	store := newStore(t, client, table, Options{InitConcurrency: 2})
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(100, 1, 100)}))
	require.Equal(t, 100, count(t, bareClient(t), table, "features"))
	initialized, err := store.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
	require.Greater(t, countOf(rec.take(), "BatchWriteItem"), 8)
}

// If the server never takes the rest, Init says so and the store does not count as initialised. When it does, another Init
// completes it.
func TestStore_Init_UnprocessedForEver_IsPartial(t *testing.T) {
	healed := false
	client, rec := recordingClient(t, nil)
	rec.intercept = func(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.operation != "BatchWriteItem" || healed {
			return nil, nil //nolint:nilnil // passes the request on
		}
		return leaving(t, r, map[bool]int{true: 12, false: 0}[r.number <= 4], send)
	}
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	data := []core.SerializedCollection{storetest.Flags(100, 1, 100)}
	begin := time.Now()
	err := store.Init(within(t, 2*time.Second), data)
	var partial *core.PartialInitError
	require.ErrorAs(t, err, &partial)
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.Less(t, time.Since(begin), 10*time.Second)
	require.Equal(t, 100, partial.Total)
	require.Equal(t, count(t, bareClient(t), table, "features"), partial.Written)
	require.Equal(t, 48, partial.Written)
	require.Empty(t, rawItem(t, bareClient(t), table, "$inited", "$inited"))
	initialized, err := store.Initialized(t.Context())
	require.NoError(t, err)
	require.False(t, initialized)

	healed = true
	require.NoError(t, store.Init(t.Context(), data))
	require.Equal(t, 100, count(t, bareClient(t), table, "features"))
	initialized, err = store.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
}

// A mark that is there stays if an Init fails, and leftovers are not deleted.
func TestStore_Init_Fails_LeavesTheMarkAndLeftovers(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(3, 1, 100)}))
	rec.intercept = always(throttled, "BatchWriteItem")
	err := store.Init(within(t, 5*time.Second), []core.SerializedCollection{
		{Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "new", Item: storetest.Item("new", 1)}}},
	})
	var partial *core.PartialInitError
	require.ErrorAs(t, err, &partial)
	require.Contains(t, err.Error(), "raise the capacity")
	require.Equal(t, 3, count(t, bareClient(t), table, "features"))
	initialized, err := store.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
}

// Reads and upserts that are throttled for a moment succeed; when it goes on, they are errors and not "not updated".
func TestStore_Throttled_RetriesAndThenFails(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	upsert(t, store, "a", storetest.Item("a", 1))

	rec.take()
	rec.intercept = func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.number%3 != 0 {
			return throttled(), nil
		}
		return nil, nil //nolint:nilnil // passes the request on
	}
	_, found, err := store.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, []string{"GetItem", "GetItem", "GetItem"}, rec.take())
	require.True(t, upsert(t, store, "a", storetest.Item("a", 2)).Written)
	require.Equal(t, []string{"PutItem", "PutItem", "PutItem"}, rec.take())

	rec.intercept = always(throttled)
	for _, call := range storetest.Calls(store) {
		require.ErrorIs(t, call.Run(within(t, time.Second)), core.ErrUnavailable, call.Name)
	}
	result, err := store.Upsert(within(t, time.Second), core.Flags, "a", storetest.Item("a", 3))
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.Zero(t, result)
}

// A deadline that passes during a request is the service's fault if it has refused the request before. A caller who cancels gets
// the error of the context.
func TestStore_Throttled_ContextEndsDuringARequest(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	for end, ending := range map[error]func(context.Context) (context.Context, context.CancelFunc){
		context.DeadlineExceeded: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		},
		context.Canceled: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Minute, cancel)
			return ctx, cancel
		},
	} {
		for _, call := range storetest.Calls(store) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := ending(t.Context())
				defer cancel()
				var refused sync.Map // by request
				rec.intercept = func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
					if _, again := refused.LoadOrStore(string(r.body), true); !again {
						return throttled(), nil
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}
				err := call.Run(ctx)
				if errors.Is(end, context.Canceled) {
					require.Equal(t, end, err, call.Name)
					return
				}
				require.ErrorIs(t, err, core.ErrUnavailable, call.Name)
				require.ErrorContains(t, err, "raise the capacity", call.Name)
			})
		}
	}
}

// An Init that is throttled to its end takes nothing away from the retries of a read.
func TestStore_Init_Throttled_LeavesReadsTheirRetries(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	rec.intercept = always(throttled, "BatchWriteItem")
	var partial *core.PartialInitError
	require.ErrorAs(t, store.Init(within(t, time.Second), []core.SerializedCollection{storetest.Flags(2000, 1, 50)}), &partial)
	for range 50 {
		rec.take()
		rec.intercept = func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
			if r.number == 1 {
				return throttled(), nil
			}
			return nil, nil //nolint:nilnil // passes the request on
		}
		_, _, err := store.Get(t.Context(), core.Flags, "a")
		require.NoError(t, err)
	}
}

// Writers that always come first are a conflict.
func TestStore_Upsert_Conflicts(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	upsert(t, store, "a", storetest.Item("a", 1))
	rec.intercept = always(func() *http.Response {
		return failure(http.StatusBadRequest, "TransactionConflictException", "Transaction is ongoing for the item")
	}, "PutItem")
	_, err := store.Upsert(within(t, time.Second), core.Flags, "a", storetest.Item("a", 2))
	require.ErrorIs(t, err, core.ErrConflict)

	rec.intercept = always(func() *http.Response { // another damaged item each time
		return answer(http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",`+
			`"message":"The conditional request failed","Item":{"version":{"N":"9"},"item":{"S":"{"}}}`)
	}, "PutItem")
	result, err := store.Upsert(t.Context(), core.Flags, "a", storetest.Item("a", 2))
	require.ErrorIs(t, err, core.ErrConflict)
	require.Zero(t, result)
	rec.intercept = nil
	got, _, err := store.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.Equal(t, storetest.Item("a", 1), got)
}

// A write whose answer is lost is repeated, and known to be the store's own.
func TestStore_Upsert_AnswerLost_IsStillWritten(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	store := newStore(t, client, table, Options{})
	upsert(t, store, "a", storetest.Item("a", 1))
	rec.take()
	rec.intercept = func(r recorded, send func([]byte) (*http.Response, error)) (*http.Response, error) {
		if r.number > 1 {
			return nil, nil //nolint:nilnil // passes the request on
		}
		response, err := send(r.body)
		if err == nil {
			err = errors.Join(response.Body.Close(), errors.New("the connection broke"))
		}
		return nil, err
	}
	require.True(t, upsert(t, store, "a", storetest.Item("a", 2)).Written)
	require.Equal(t, []string{"PutItem", "PutItem"}, rec.take())

	results, err := store.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{{Kind: core.Flags, Key: "b", Item: storetest.Item("b", 1)}})
	require.NoError(t, err)
	require.Equal(t, []core.UpsertResult{{Item: storetest.Item("b", 1), Written: true}}, results)
	require.Equal(t, []string{"TransactWriteItems", "TransactWriteItems"}, rec.take())
}
