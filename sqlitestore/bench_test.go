package sqlitestore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func BenchmarkStore_Get(b *testing.B) {
	s := openStore(b, tempPath(b), nil)
	require.NoError(b, s.Init(b.Context(), flags(1000, 1, 1000)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, found, err := s.Get(b.Context(), core.Flags, fmt.Sprintf("flag-%d", i%1000)); !found || err != nil {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkStore_GetAll1000(b *testing.B) {
	s := openStore(b, tempPath(b), nil)
	require.NoError(b, s.Init(b.Context(), flags(1000, 1, 1000)))
	b.ReportAllocs()
	for b.Loop() {
		if items, err := s.GetAll(b.Context(), core.Flags); len(items) != 1000 || err != nil {
			b.Fatal(len(items), err)
		}
	}
}

func BenchmarkStore_Upsert(b *testing.B) {
	s := openStore(b, tempPath(b), nil)
	item := live("f", 1, 1000).Item
	b.ReportAllocs()
	for b.Loop() {
		item.Version++
		if result, err := s.Upsert(b.Context(), core.Flags, "f", item); !result.Written || err != nil {
			b.Fatal(result, err)
		}
	}
}

func BenchmarkStore_Init10000(b *testing.B) {
	for name, changing := range map[string]int{"AllDiffer": 1, "AllEqual": 0} {
		b.Run(name, func(b *testing.B) {
			s := openStore(b, tempPath(b), nil)
			sets := [][]core.SerializedCollection{flags(10_000, 1, 1000), flags(10_000, 2, 1000)}
			require.NoError(b, s.Init(b.Context(), sets[0]))
			b.ReportAllocs()
			for i := 1; b.Loop(); i++ {
				if err := s.Init(b.Context(), sets[i*changing%2]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	path := tempPath(b)
	openStore(b, path, nil)
	b.ReportAllocs()
	for b.Loop() {
		s, err := sqlitestore.New(b.Context(), path, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
