package redisstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// BenchmarkStore_Upsert writes an item of 2 KB, beside the bare command that does the same without comparing.
func BenchmarkStore_Upsert(b *testing.B) {
	client, prefix := bareClient(b), storetest.Prefix()
	store, err := New(b.Context(), client, &Options{Prefix: prefix})
	require.NoError(b, err)
	padding := strings.Repeat("x", 2000)
	data := func(version int) []byte { return fmt.Appendf(nil, `{"key":"k","version":%d,"x":%q}`, version, padding) }

	b.Run("bare HSET", func(b *testing.B) {
		for i := range b.N {
			require.NoError(b, client.HSet(b.Context(), prefix+":bare", "k", data(i)).Err())
		}
	})
	version := 0
	b.Run("newer", func(b *testing.B) {
		for range b.N {
			version++
			result, err := store.Upsert(b.Context(), core.Flags, "k", core.SerializedItem{Version: version, Data: data(version)})
			require.NoError(b, err)
			require.True(b, result.Written)
		}
	})
	b.Run("not newer", func(b *testing.B) {
		for range b.N {
			result, err := store.Upsert(b.Context(), core.Flags, "k", core.SerializedItem{Version: version, Data: data(version)})
			require.NoError(b, err)
			require.False(b, result.Written)
		}
	})
	require.NoError(b, store.Close())
}

// BenchmarkStore_Get reads an item of 2 KB, beside the bare command.
func BenchmarkStore_Get(b *testing.B) {
	client, prefix := bareClient(b), storetest.Prefix()
	store, err := New(b.Context(), client, &Options{Prefix: prefix})
	require.NoError(b, err)
	require.NoError(b, store.Init(b.Context(), []core.SerializedCollection{storetest.Flags(1, 1, 2000)}))
	const key = "flag-00000"
	b.Run("bare HGET", func(b *testing.B) {
		for range b.N {
			data, err := client.HGet(b.Context(), prefix+":features", key).Bytes()
			require.NoError(b, err)
			require.NotEmpty(b, data)
		}
	})
	b.Run("store", func(b *testing.B) {
		for range b.N {
			_, found, err := store.Get(b.Context(), core.Flags, key)
			require.NoError(b, err)
			require.True(b, found)
		}
	})
	require.NoError(b, store.Close())
}

// BenchmarkStore_GetAll reads 1,000 items of 2 KB, beside the bare command.
func BenchmarkStore_GetAll(b *testing.B) {
	client, prefix := bareClient(b), storetest.Prefix()
	store, err := New(b.Context(), client, &Options{Prefix: prefix})
	require.NoError(b, err)
	require.NoError(b, store.Init(b.Context(), []core.SerializedCollection{storetest.Flags(1000, 1, 2000)}))
	b.Run("bare HGETALL", func(b *testing.B) {
		for range b.N {
			all, err := client.HGetAll(b.Context(), prefix+":features").Result()
			require.NoError(b, err)
			require.Len(b, all, 1000)
		}
	})
	b.Run("store", func(b *testing.B) {
		for range b.N {
			all, err := store.GetAll(b.Context(), core.Flags)
			require.NoError(b, err)
			require.Len(b, all, 1000)
		}
	})
	require.NoError(b, store.Close())
}

// BenchmarkStore_Init replaces 10,000 items of 2 KB.
func BenchmarkStore_Init(b *testing.B) {
	store, err := New(b.Context(), bareClient(b), &Options{Prefix: storetest.Prefix()})
	require.NoError(b, err)
	data := []core.SerializedCollection{storetest.Flags(10_000, 1, 2000)}
	for b.Loop() {
		require.NoError(b, store.Init(b.Context(), data))
	}
	require.NoError(b, store.Close())
}
