package benchmarks

import (
	"errors"

	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// errWrong means that an operation did not do what it is measured for.
var errWrong = errors.New("the result is not what it should be")

func cachedGetTTL() workload {
	return workload{
		name: "wrapper/get-ttl", title: "wrapper, cached Get, TTL mode", metric: measure.Time,
		goals: []measure.Goal{
			measure.AtMostTimes(measure.Time, 1.0/6, measure.Theirs), measure.AtMost(measure.Allocations, 0),
			measure.AtLeast(measure.Speedup, 1.8),
		},
		setup: func(b *bench) sides { return cachedGet(b, longTTL(), ttlLD) },
	}
}

func cachedGetForever() workload {
	return workload{
		name: "wrapper/get-forever", title: "wrapper, cached Get, forever mode", metric: measure.Time,
		goals: []measure.Goal{
			measure.AtMostTimes(measure.Time, 1.0/4, measure.Theirs), measure.AtMost(measure.Allocations, 0),
		},
		setup: func(b *bench) sides { return cachedGet(b, caching.Forever(), foreverLD) },
	}
}

// cachedGet reads 1,000 flags in turn, by one goroutine and, to see the speedup, by two on two cores.
func cachedGet(b *bench, mode caching.Mode, modeLD func(*ldcomponents.PersistentDataStoreBuilder)) sides {
	s := cachedGets(b, flagsOf(1000, ruleFlag), mode, modeLD)
	s.ours.Parallel, s.theirs.Parallel = true, true
	return s
}

// cachedGets reads the flags in turn.
func cachedGets(b *bench, flags []flagJSON, mode caching.Mode, modeLD func(*ldcomponents.PersistentDataStoreBuilder)) sides {
	n := len(flags)
	keys := make([]string, n)
	for i := range keys {
		keys[i] = flags[i].key
	}
	ours := wrapper(b, &memory{}, mode)
	require.NoError(b, ours.Init(b.ctx(), collections(flags, firstVersion)))
	theirs := wrapperLD(b, &memoryLD{}, modeLD)
	require.NoError(b, theirs.Init(collectionsLD(flags, firstVersion)))
	ctx, kind := b.ctx(), ldstoreimpl.Features()
	return sides{
		ours: measure.Op{Run: func(count int) error {
			for i := range count {
				if _, found, err := ours.Get(ctx, core.Flags, keys[i%n]); !found || err != nil {
					return errors.Join(errWrong, err)
				}
			}
			return nil
		}},
		theirs: measure.Op{Run: func(count int) error {
			for i := range count {
				if item, err := theirs.Get(kind, keys[i%n]); item.Item == nil || err != nil {
					return errors.Join(errWrong, err)
				}
			}
			return nil
		}},
	}
}

func upsertForever() workload {
	return workload{
		name: "wrapper/upsert-forever", title: "wrapper, Upsert, forever mode, 10,000 flags", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1.0/25, measure.Theirs)},
		note: "Each wrapper is given what its data source hands it: ours the JSON with the version read from it, theirs the " +
			"decoded flag.",
		setup: func(b *bench) sides { return upsert(b, flagsOf(b.many(10_000), ruleFlag), b.many(2000)) },
	}
}

// upsert updates one of the flags again and again, perSample times in one sample.
func upsert(b *bench, flags []flagJSON, perSample int) sides {
	ours := wrapper(b, &memory{}, caching.Forever())
	require.NoError(b, ours.Init(b.ctx(), collections(flags, firstVersion)))
	theirs := wrapperLD(b, &memoryLD{}, foreverLD)
	require.NoError(b, theirs.Init(collectionsLD(flags, firstVersion)))
	flag, version, versionLD := flags[len(flags)/2], firstVersion, firstVersion
	ctx, kind := b.ctx(), ldstoreimpl.Features()
	var items []*core.Item
	var itemsLD []ldstoretypes.ItemDescriptor
	return sides{
		ours: measure.Op{
			N: perSample,
			Before: func(n int) error {
				items = items[:0]
				for range n {
					version++
					items = append(items, flag.item(version))
				}
				return nil
			},
			Run: func(int) error {
				for _, item := range items {
					if updated, err := ours.Upsert(ctx, core.Flags, flag.key, item); !updated || err != nil {
						return errors.Join(errWrong, err)
					}
				}
				return nil
			},
		},
		theirs: measure.Op{
			N: perSample,
			Before: func(n int) error {
				itemsLD = itemsLD[:0]
				for range n {
					versionLD++
					itemsLD = append(itemsLD, flag.itemLD(versionLD))
				}
				return nil
			},
			Run: func(int) error {
				for _, item := range itemsLD {
					if updated, err := theirs.Upsert(kind, flag.key, item); !updated || err != nil {
						return errors.Join(errWrong, err)
					}
				}
				return nil
			},
		},
	}
}

func getAllUncached() workload {
	return workload{
		name: "wrapper/getall-uncached", title: "wrapper, GetAll of 1,000 × 2 KB, uncached", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1.0/3, measure.Theirs)},
		note:  "Ours decodes a flag when it is first evaluated and not when it is read.",
		setup: func(b *bench) sides { return getAll(b, flagsOf(b.many(1000), ruleFlag), 0) },
	}
}

// getAll reads all flags without a cache.
func getAll(b *bench, flags []flagJSON, perSample int) sides {
	ours := wrapper(b, &memory{}, caching.Off())
	require.NoError(b, ours.Init(b.ctx(), collections(flags, firstVersion)))
	theirs := wrapperLD(b, &memoryLD{}, offLD)
	require.NoError(b, theirs.Init(collectionsLD(flags, firstVersion)))
	ctx, kind := b.ctx(), ldstoreimpl.Features()
	return sides{
		ours: measure.Op{N: perSample, Run: func(count int) error {
			for range count {
				if all, err := ours.All(ctx, core.Flags); len(all) != len(flags) || err != nil {
					return errors.Join(errWrong, err)
				}
			}
			return nil
		}},
		theirs: measure.Op{N: perSample, Run: func(count int) error {
			for range count {
				if all, err := theirs.GetAll(kind); len(all) != len(flags) || err != nil {
					return errors.Join(errWrong, err)
				}
			}
			return nil
		}},
	}
}

func wrapperInit() workload {
	return workload{
		name: "wrapper/init", title: "wrapper, Init of 10,000", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1.0/2, measure.Theirs)},
		note: "Each wrapper is given what its data source hands it: ours the JSON with the version read from it, which it " +
			"stores as it is; theirs the decoded flags, which it encodes.",
		setup: func(b *bench) sides { return initAll(b, flagsOf(b.many(10_000), ruleFlag), caching.TTL(0), 0) },
	}
}

// initAll replaces everything by the same flags.
func initAll(b *bench, flags []flagJSON, mode caching.Mode, perSample int) sides {
	modeLD := func(*ldcomponents.PersistentDataStoreBuilder) {} // which is a TTL of 15 s, as with us
	if mode == caching.Forever() {
		modeLD = foreverLD
	}
	ours, theirs := wrapper(b, &memory{}, mode), wrapperLD(b, &memoryLD{}, modeLD)
	data, dataLD := collections(flags, firstVersion), collectionsLD(flags, firstVersion)
	ctx := b.ctx()
	return sides{
		ours: measure.Op{N: perSample, Run: func(count int) error {
			for range count {
				if err := ours.Init(ctx, data); err != nil {
					return err
				}
			}
			return nil
		}},
		theirs: measure.Op{N: perSample, Run: func(count int) error {
			for range count {
				if err := theirs.Init(dataLD); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}
