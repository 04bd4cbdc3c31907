package consulstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// An Init touches nothing whose key only begins with the same letters.
func TestStore_Init_LeavesNeighboursAlone(t *testing.T) {
	b, prefix := newBare(t, containers.Consul(t)), storetest.Prefix()
	neighbours := []string{
		prefix + "2/features/a", prefix + "lication-config/database", prefix + ":b/features/a", prefix + "/b/features/a",
		prefix + "/featuresque/a", prefix + "/features.old", prefix + "/big_segments_user/h", prefix,
	}
	for _, key := range neighbours {
		b.write(t, key, []byte("1"))
	}
	store := openStore(t, Options{Prefix: prefix})
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(3, 1, 60)}))
	require.NoError(t, store.Init(t.Context(), nil))
	require.ElementsMatch(t, append(neighbours, prefix+"/$inited"), b.keysUnder(t, prefix))
}

// bodies notes how large the bodies of transactions are, and how many operations they have.
type bodies struct{ sizes, ops []int }

func (b *bodies) note(t *testing.T, request *http.Request) {
	if request.URL.Path != "/v1/txn" {
		return
	}
	body, err := io.ReadAll(request.Body)
	require.NoError(t, err)
	request.Body = io.NopCloser(bytes.NewReader(body))
	var ops []json.RawMessage
	require.NoError(t, json.Unmarshal(body, &ops))
	b.sizes, b.ops = append(b.sizes, len(body)), append(b.ops, len(ops))
}

// Whatever the number and size of the items is, every transaction stays within the limits of the server for operations and
// for bytes, and is not much smaller than it could be.
func TestStore_Init_PacksByOperationsAndBytes(t *testing.T) {
	for _, test := range []struct{ n, size, transactions int }{
		{64, 6_000, 3}, {1000, 100, 9}, {200, 10_000, 8}, {3, 200_000, 4}, {2, 390_000, 3},
	} {
		t.Run(fmt.Sprintf("%d of %d bytes", test.n, test.size), func(t *testing.T) {
			store, requests := recordedStore(t, &Options{Prefix: storetest.Prefix()})
			var seen bodies
			var lock = make(chan struct{}, 1)
			requests.answer = func(request *http.Request) *http.Response {
				lock <- struct{}{}
				defer func() { <-lock }()
				seen.note(t, request)
				return nil
			}
			require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(test.n, 1, test.size)}))
			require.LessOrEqual(t, slices.Max(seen.sizes), 512<<10)
			require.LessOrEqual(t, slices.Max(seen.ops), 128)
			require.LessOrEqual(t, len(seen.sizes), test.transactions)
			items, err := store.GetAll(t.Context(), core.Flags)
			require.NoError(t, err)
			require.Equal(t, map[int]int{1: test.n}, versions(t, items))
		})
	}
}

// A value may have 512 KB, although a transaction cannot carry it; one byte more is refused, alone.
func TestStore_LargeValue_IsStored(t *testing.T) {
	ctx := t.Context()
	store := openStore(t, Options{Prefix: storetest.Prefix()})
	for _, size := range []int{380_000, 393_000, 393_216, 400 << 10, 524_287, 524_288} {
		key := fmt.Sprint("upserted-", size)
		for version := 1; version < 4; version++ {
			result, err := store.Upsert(ctx, core.Flags, key, storetest.Sized(key, version, size))
			require.NoError(t, err)
			require.True(t, result.Written)
		}
		result, err := store.Upsert(ctx, core.Flags, key, storetest.Item(key, 3))
		require.NoError(t, err)
		require.False(t, result.Written)
		require.Len(t, result.Item.Data, size)

		data := storetest.Flags(2, 1, 100)
		data.Items = append(data.Items, core.KeyedSerializedItem{Key: "big", Item: storetest.Sized("big", 1, size)})
		require.NoError(t, store.Init(ctx, []core.SerializedCollection{data}))
		got, found, err := store.Get(ctx, core.Flags, "big")
		require.NoError(t, err)
		require.True(t, found)
		require.Len(t, got.Data, size)
	}
	_, err := store.Upsert(ctx, core.Flags, "big", storetest.Sized("big", 9, 524_289))
	require.ErrorIs(t, err, core.ErrTooLarge)
}

// A value between what a transaction and what a single request can carry needs a key that a URL can carry.
func TestStore_LargeValueOfAwkwardKey_IsRefusedAlone(t *testing.T) {
	store := openStore(t, Options{Prefix: storetest.Prefix()})
	data := storetest.Flags(2, 1, 100)
	data.Items = append(data.Items,
		core.KeyedSerializedItem{Key: "new\nline", Item: storetest.Sized("a", 1, 380_000)},
		core.KeyedSerializedItem{Key: "two//slashes", Item: storetest.Sized("b", 1, 400_000)})
	err := store.Init(t.Context(), []core.SerializedCollection{data})
	refused, only := core.ItemErrors(err)
	require.True(t, only)
	require.Len(t, refused, 1)
	require.Equal(t, "two//slashes", refused[0].Key)
	require.ErrorIs(t, err, core.ErrTooLarge)
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Len(t, items, 3)
}

// A server that accepts less than servers of today do is served with less, which is then remembered.
func TestStore_OldServer_GetsSmallerTransactions(t *testing.T) {
	store, requests := recordedStore(t, &Options{Prefix: storetest.Prefix()})
	var refused atomic.Int64
	requests.answer = func(request *http.Request) *http.Response {
		var seen bodies
		if seen.note(t, request); len(seen.ops) == 0 || seen.ops[0] <= 64 {
			return nil
		}
		refused.Add(1)
		return &http.Response{
			StatusCode: http.StatusRequestEntityTooLarge, Header: http.Header{}, Request: request,
			Body: io.NopCloser(strings.NewReader("Transaction contains too many operations (128 > 64)")),
		}
	}
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(1000, 1, 100)}))
	require.Positive(t, refused.Load())
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Equal(t, map[int]int{1: 1000}, versions(t, items))
	before := refused.Load()
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(1000, 2, 100)}))
	require.Equal(t, before, refused.Load())
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(60, 3, 100)}))
}

// A server with smaller limits takes everything but what is larger than its limit for a value.
func TestStore_ServerWithSmallLimits_GetsSmallerTransactions(t *testing.T) {
	server := containers.StartConsul(t, "-hcl", "limits { kv_max_value_size = 20000, txn_max_req_len = 20000 }")
	store := openStore(t, Options{Address: server.Address})
	data := storetest.Flags(50, 1, 10_000)
	data.Items = append(data.Items,
		core.KeyedSerializedItem{Key: "fits alone", Item: storetest.Sized("fits alone", 1, 20_000)},
		core.KeyedSerializedItem{Key: "too large", Item: storetest.Sized("too large", 1, 20_001)})
	_, err := store.Upsert(t.Context(), core.Flags, "too large", storetest.Item("too large", 0))
	require.NoError(t, err)
	err = store.Init(t.Context(), []core.SerializedCollection{data})
	refused, only := core.ItemErrors(err)
	require.True(t, only, "%v", err)
	require.Len(t, refused, 1)
	require.Equal(t, "too large", refused[0].Key)
	require.Equal(t, 20_001, refused[0].Size)
	require.ErrorIs(t, err, core.ErrTooLarge)
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Equal(t, map[int]int{0: 1, 1: 51}, versions(t, items))
	initialized, err := store.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)

	_, err = store.Upsert(t.Context(), core.Flags, "fits alone", storetest.Sized("a", 2, 20_000))
	require.NoError(t, err)
	_, err = store.Upsert(t.Context(), core.Flags, "too large", storetest.Sized("b", 2, 20_001))
	refused, only = core.ItemErrors(err)
	require.True(t, only, "%v", err)
	require.Equal(t, "too large", refused[0].Key)
}

// A server with larger limits takes larger items, if the options say so.
func TestStore_ServerWithLargeLimits_GetsLargeItems(t *testing.T) {
	server := containers.StartConsul(t, "-hcl", "limits { kv_max_value_size = 4000000, txn_max_req_len = 2000000 }")
	store := openStore(t, Options{Address: server.Address, MaxItemSize: 4_000_000, MaxTransactionSize: 2_000_000})
	for _, size := range []int{1_000_000, 4_000_000} {
		key := strconv.Itoa(size)
		_, err := store.Upsert(t.Context(), core.Flags, key, storetest.Sized(key, 1, size))
		require.NoError(t, err)
	}
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(3, 2, 4_000_000)}))
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Equal(t, map[int]int{2: 3}, versions(t, items))
}

// An Init that stops half way says so, leaves the mark alone and deletes nothing; the next one completes it.
func TestStore_Init_StoppedHalfWay_IsPartial(t *testing.T) {
	ctx, b, prefix := t.Context(), newBare(t, containers.Consul(t)), storetest.Prefix()
	b.write(t, prefix+"/features/leftover", []byte(`{}`))
	store, requests := recordedStore(t, &Options{Prefix: prefix})
	var transactions atomic.Int64
	requests.answer = func(request *http.Request) *http.Response {
		if request.URL.Path != "/v1/txn" || transactions.Add(1) <= 3 {
			return nil
		}
		return &http.Response{
			StatusCode: http.StatusInternalServerError, Header: http.Header{}, Request: request,
			Body: io.NopCloser(strings.NewReader("No cluster leader")),
		}
	}
	data := []core.SerializedCollection{storetest.Flags(2000, 1, 100)}
	err := store.Init(ctx, data)
	require.ErrorIs(t, err, core.ErrUnavailable)
	partial, ok := errors.AsType[*core.PartialInitError](err)
	require.True(t, ok)
	require.Equal(t, 2000, partial.Total)
	require.Equal(t, 3*128, partial.Written)
	initialized, err := store.Initialized(ctx)
	require.NoError(t, err)
	require.False(t, initialized)
	require.Len(t, b.keysUnder(t, prefix), 3*128+1)

	requests.answer = nil
	requests.take()
	require.NoError(t, store.Init(ctx, data))
	require.Len(t, slices.DeleteFunc(requests.take(), func(r string) bool { return r != "PUT /v1/txn" }), 13+1+1,
		"what was written is not written again")
	require.Len(t, b.keysUnder(t, prefix), 2001)
}
