package benchmarks

import (
	"errors"
	"runtime"

	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/core"
)

func heapRead() workload {
	return workload{
		name: "heap/read", title: "heap per flag, 10,000 cached 2 KB flags after GetAll and a Get of each", metric: measure.Heap,
		goals:   []measure.Goal{measure.AtMostTimes(measure.Heap, 1.0/4, measure.Theirs)},
		measure: func(b *bench) *measure.Comparison { return heap(b, false) },
	}
}

func heapEvaluated() workload {
	return workload{
		name: "heap/evaluated", title: "heap per flag, the same after each was evaluated", metric: measure.Heap,
		goals:   []measure.Goal{measure.AtMostTimes(measure.Heap, 1.0/2, measure.Theirs)},
		measure: func(b *bench) *measure.Comparison { return heap(b, true) },
	}
}

// heap compares what the caches hold. The databases below return bytes of their own at every read, as a real one does, so
// that a cache that keeps them is charged with them.
func heap(b *bench, evaluate bool) *measure.Comparison {
	flags := flagsOf(b.many(10_000), ruleFlag)
	return alternately(b, func(side measure.Side) measure.Sample {
		held := ownHeap
		if side == measure.Theirs {
			held = theirHeap
		}
		return measure.Sample{measure.Heap: float64(held(b, flags, evaluate)) / float64(len(flags))}
	})
}

func ownHeap(b *bench, flags []flagJSON, evaluate bool) int64 {
	database := &memory{copies: true}
	require.NoError(b, database.Init(b.ctx(), serialized(flags, firstVersion)))
	w := newWrapper(b, database, longTTL())
	defer func() { require.NoError(b, w.Close()) }()
	read := func(key string) (*ldmodel.FeatureFlag, error) {
		item, found, err := w.Get(b.ctx(), core.Flags, key)
		if !found || err != nil || !evaluate {
			return nil, err
		}
		return item.Flag()
	}
	return heapGrowth(b, func() error {
		if all, err := w.All(b.ctx(), core.Flags); len(all) != len(flags) || err != nil {
			return errors.Join(errWrong, err)
		}
		return readEach(flags, read)
	})
}

func theirHeap(b *bench, flags []flagJSON, evaluate bool) int64 {
	database := &memoryLD{copies: true}
	require.NoError(b, database.Init(serializedLD(flags, firstVersion)))
	w := newWrapperLD(b, database, ttlLD)
	defer func() { require.NoError(b, w.Close()) }()
	kind := ldstoreimpl.Features()
	read := func(key string) (*ldmodel.FeatureFlag, error) {
		item, err := w.Get(kind, key)
		if err != nil || !evaluate {
			return nil, err
		}
		return item.Item.(*ldmodel.FeatureFlag), nil
	}
	return heapGrowth(b, func() error {
		if all, err := w.GetAll(kind); len(all) != len(flags) || err != nil {
			return errors.Join(errWrong, err)
		}
		return readEach(flags, read)
	})
}

// readEach reads each flag and evaluates it if read returns one.
func readEach(flags []flagJSON, read func(key string) (*ldmodel.FeatureFlag, error)) error {
	evaluator, who := evaluation.NewEvaluator(nil), customer()
	for _, flag := range flags {
		model, err := read(flag.key)
		if err != nil {
			return err
		}
		if model != nil && !evaluator.Evaluate(model, who, nil).Detail.Value.BoolValue() {
			return errWrong
		}
	}
	return nil
}

// heapGrowth returns by how much the live heap grows.
func heapGrowth(b *bench, fill func() error) int64 {
	before := liveHeap()
	require.NoError(b, fill())
	return liveHeap() - before
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what had a finalizer or was in a pool is gone after the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
