package benchmarks

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/core"
)

// What all adapters do alike, each with counters of its own.

// freshPrefix is a prefix that no other workload uses.
func freshPrefix() string { return "bench-" + rand.Text() }

// ownUpsert writes ever newer versions of a flag.
func ownUpsert(ctx context.Context, store core.FeatureStoreCore, flag flagJSON, counters map[measure.Metric]func() int64) measure.Op {
	version := firstVersion
	return measure.Op{Counters: counters, Run: func(n int) error {
		for range n {
			version++
			item := core.SerializedItem{Version: version, Data: flag.withVersion(version)}
			if result, err := store.Upsert(ctx, core.Flags, flag.key, item); !result.Written || err != nil {
				return errors.Join(errWrong, err)
			}
		}
		return nil
	}}
}

func theirUpsert(store subsystems.PersistentDataStore, flag flagJSON, counters map[measure.Metric]func() int64) measure.Op {
	version, kind := firstVersion, ldstoreimpl.Features()
	return measure.Op{Counters: counters, Run: func(n int) error {
		for range n {
			version++
			item := ldstoretypes.SerializedItemDescriptor{Version: version, SerializedItem: flag.withVersion(version)}
			if written, err := store.Upsert(kind, flag.key, item); !written || err != nil {
				return errors.Join(errWrong, err)
			}
		}
		return nil
	}}
}

// ownInit replaces everything by what is there with other versions, each time.
func ownInit(ctx context.Context, store core.FeatureStoreCore, flags []flagJSON, counters map[measure.Metric]func() int64) measure.Op {
	var data []core.SerializedCollection
	version := firstVersion
	return measure.Op{
		N: 1, Counters: counters,
		Before: func(int) error {
			version++
			data = serialized(flags, version)
			return nil
		},
		Run: func(int) error { return store.Init(ctx, data) },
	}
}

func theirInit(store subsystems.PersistentDataStore, flags []flagJSON, counters map[measure.Metric]func() int64) measure.Op {
	var data []ldstoretypes.SerializedCollection
	version := firstVersion
	return measure.Op{
		N: 1, Counters: counters,
		Before: func(int) error {
			version++
			data = serializedLD(flags, version)
			return nil
		},
		Run: func(int) error { return store.Init(data) },
	}
}
