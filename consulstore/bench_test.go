package consulstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// benchStore makes a store on the client that the bare calls are made with.
func benchStore(b *testing.B, address string) (*Store, *bare, string) {
	driver, prefix := newBare(b, address), storetest.Prefix()
	store, err := New(b.Context(), driver.Client, &Options{Prefix: prefix})
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, store.Close())
		emptied(b, driver, prefix)
	})
	return store, driver, prefix
}

// sideBySide alternates between a bare call and a call of the store, so that whatever else the machine does burdens both,
// and reports the medians. The time that prepare takes before each call does not count.
func sideBySide(b *testing.B, prepare func(), bare, ours func(n int) error) {
	b.Helper()
	var times [2][]time.Duration
	n := 0
	for b.Loop() {
		n++
		for i, call := range []func(int) error{bare, ours} {
			prepare()
			begin := time.Now()
			if err := call(n); err != nil {
				b.Fatal(err)
			}
			times[i] = append(times[i], time.Since(begin))
		}
	}
	var medians [2]float64
	for i := range times {
		slices.Sort(times[i])
		medians[i] = float64(times[i][len(times[i])/2])
	}
	b.ReportMetric(medians[0], "bare-ns/op")
	b.ReportMetric(medians[1], "store-ns/op")
	b.ReportMetric(medians[1]/medians[0], "ratio")
}

// BenchmarkStore_Get reads an item of 2 KB, beside a bare KV get.
func BenchmarkStore_Get(b *testing.B) {
	store, driver, prefix := benchStore(b, containers.Consul(b))
	_, err := store.Upsert(b.Context(), core.Flags, "k", storetest.Sized("k", 1, 2000))
	require.NoError(b, err)
	sideBySide(b, func() {}, func(int) error {
		_, _, err := driver.KV().Get(prefix+"/features/k", new(api.QueryOptions).WithContext(b.Context()))
		return err
	}, func(int) error {
		_, _, err := store.Get(b.Context(), core.Flags, "k")
		return err
	})
}

// BenchmarkStore_GetAll reads 1,000 items of 2 KB, beside a bare listing.
func BenchmarkStore_GetAll(b *testing.B) {
	store, driver, prefix := benchStore(b, containers.Consul(b))
	require.NoError(b, store.Init(b.Context(), []core.SerializedCollection{storetest.Flags(1000, 1, 2000)}))
	sideBySide(b, func() {}, func(int) error {
		_, _, err := driver.KV().List(prefix+"/features/", new(api.QueryOptions).WithContext(b.Context()))
		return err
	}, func(int) error {
		_, err := store.GetAll(b.Context(), core.Flags)
		return err
	})
}

// BenchmarkStore_Upsert writes an item of 2 KB, beside a bare KV put, which does the same without comparing.
func BenchmarkStore_Upsert(b *testing.B) {
	store, driver, prefix := benchStore(b, containers.Consul(b))
	sideBySide(b, func() {}, func(n int) error {
		pair := &api.KVPair{Key: prefix + "/bare", Value: storetest.Sized("k", n, 2000).Data}
		_, err := driver.KV().Put(pair, new(api.WriteOptions).WithContext(b.Context()))
		return err
	}, func(n int) error {
		_, err := store.Upsert(b.Context(), core.Flags, "k", storetest.Sized("k", n, 2000))
		return err
	})
}

// BenchmarkStore_Init writes 10,000 items of 2 KB into an empty database that keeps its data on disk, beside transactions of
// 64 operations one after the other: with the server next to the client, where both are only as fast as the processor, and
// with a network between them that takes 2 ms.
func BenchmarkStore_Init(b *testing.B) {
	store, driver, prefix := benchStore(b, containers.StartConsulCluster(b, 1)[0].Address)
	data := storetest.Flags(10_000, 1, 2000)
	for name, delay := range map[string]time.Duration{"next to it": 0, "across a network": 2 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			driver.delay.Store(int64(delay))
			sideBySide(b, func() { emptied(b, driver, prefix) },
				func(int) error { return sequentially(driver, prefix, data) },
				func(int) error { return store.Init(context.Background(), []core.SerializedCollection{data}) })
		})
	}
}

// BenchmarkStore_InitUnchanged writes 10,000 items of 2 KB that are there already, beside a bare listing of them.
func BenchmarkStore_InitUnchanged(b *testing.B) {
	store, driver, prefix := benchStore(b, containers.Consul(b))
	data := []core.SerializedCollection{storetest.Flags(10_000, 1, 2000)}
	require.NoError(b, store.Init(context.Background(), data))
	sideBySide(b, func() {}, func(int) error {
		_, _, err := driver.KV().List(prefix+"/features/", nil)
		return err
	}, func(int) error { return store.Init(context.Background(), data) })
}

func emptied(b *testing.B, driver *bare, prefix string) {
	_, err := driver.KV().DeleteTree(prefix, nil)
	require.NoError(b, err)
}

// sequentially writes a collection as a simple store would.
func sequentially(driver *bare, prefix string, data core.SerializedCollection) error {
	ops := make(api.KVTxnOps, 0, maxOperationsOfOld)
	for i, item := range data.Items {
		ops = append(ops, &api.KVTxnOp{Verb: api.KVSet, Key: prefix + "/features/" + item.Key, Value: item.Item.Data})
		if len(ops) < maxOperationsOfOld && i < len(data.Items)-1 {
			continue
		}
		if ok, _, _, err := driver.KV().Txn(ops, nil); err != nil || !ok {
			return fmt.Errorf("done %t, error %w", ok, err)
		}
		ops = ops[:0]
	}
	return nil
}

// BenchmarkBigSegments_ApplyPatch fills a store with the members of a big segment in pieces as the synchroniser does.
func BenchmarkBigSegments_ApplyPatch(b *testing.B) {
	const piece = 4000
	driver, prefix := newBare(b, containers.Consul(b)), storetest.Prefix()
	segments, err := NewBigSegments(b.Context(), driver.Client, &Options{Prefix: prefix})
	require.NoError(b, err)
	members := 0
	for b.Loop() {
		patch := core.BigSegmentPatch{SegmentRef: "s.g1"}
		for range piece {
			patch.Included.Add = append(patch.Included.Add, core.BigSegmentContextHash(strconv.Itoa(members)))
			members++
		}
		applied, err := segments.ApplyPatch(b.Context(), patch)
		require.NoError(b, err)
		require.True(b, applied)
	}
	b.ReportMetric(float64(members)/b.Elapsed().Seconds(), "members/s")
	require.NoError(b, segments.Close())
	emptied(b, driver, prefix)
}
