package caching_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

const benchmarkFlags = 1000

func benchmarkKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("checkout-express-button-%d", i)
	}
	return keys
}

func benchmarkWrapper(b *testing.B, mode caching.Mode, keys []string) *caching.CachingStoreWrapper {
	b.Helper()
	w, err := caching.NewCachingStoreWrapper(memorystore.New(nil, nil), &caching.Options{Mode: mode, Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = w.Close() })
	if err := w.Init(b.Context(), flags(1, keys...)); err != nil {
		b.Fatal(err)
	}
	return w
}

// BenchmarkCachingStoreWrapper_Get reports ns/get. Compare the lines of -cpu 1,2: twice as many cores give about twice the
// throughput. Each turn makes many reads, because the counters of the benchmark's own goroutines may share a cache line.
func BenchmarkCachingStoreWrapper_Get(b *testing.B) {
	const reads = 100
	keys := benchmarkKeys(benchmarkFlags)
	for name, mode := range map[string]caching.Mode{"TTL": caching.TTL(time.Hour), "Forever": caching.Forever()} {
		b.Run(name, func(b *testing.B) {
			w := benchmarkWrapper(b, mode, keys)
			ctx := b.Context()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); {
					for range reads {
						i++
						if _, found, err := w.Get(ctx, core.Flags, keys[i%benchmarkFlags]); !found || err != nil {
							b.Error(found, err)
						}
					}
				}
			})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*reads), "ns/get")
		})
	}
}

func BenchmarkCachingStoreWrapper_GetUnknown(b *testing.B) {
	w := benchmarkWrapper(b, caching.TTL(time.Hour), nil)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, found, err := w.Get(ctx, core.Flags, "unknown"); found || err != nil {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkCachingStoreWrapper_All(b *testing.B) {
	w := benchmarkWrapper(b, caching.TTL(time.Hour), benchmarkKeys(benchmarkFlags))
	b.ReportAllocs()
	for b.Loop() {
		if items, err := w.All(b.Context(), core.Flags); len(items) != benchmarkFlags || err != nil {
			b.Fatal(len(items), err)
		}
	}
}

func BenchmarkCachingStoreWrapper_Upsert(b *testing.B) {
	keys := benchmarkKeys(10 * benchmarkFlags)
	w := benchmarkWrapper(b, caching.Forever(), keys)
	version := 1
	b.ReportAllocs()
	for b.Loop() {
		version++
		if updated, err := w.Upsert(b.Context(), core.Flags, keys[0], flag(keys[0], version)); !updated || err != nil {
			b.Fatal(updated, err)
		}
	}
}

func BenchmarkCachingStoreWrapper_Init(b *testing.B) {
	keys := benchmarkKeys(10 * benchmarkFlags)
	w := benchmarkWrapper(b, caching.Forever(), keys)
	data := flags(1, keys...)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Init(b.Context(), data); err != nil {
			b.Fatal(err)
		}
	}
}
