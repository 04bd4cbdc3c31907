package conformance

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func concurrencyTests() group[*fixture] {
	return group[*fixture]{"Concurrency", []subtest[*fixture]{
		{"UpsertsOfOneKeyEndAtTheGreatest", testConcurrentOneKey},
		{"UpsertsOfOneVersionHaveOneWinner", testConcurrentOneVersion},
		{"UpsertsOfDifferentKeysLoseNone", testConcurrentDifferentKeys},
		{"ReadersNeverSeeAnOlderVersion", testConcurrentMonotone},
		{"InitAndUpsert", testConcurrentInitAndUpsert},
	}}
}

// testConcurrentOneKey has workers upsert all versions of one key in different orders.
func testConcurrentOneKey(f *fixture) {
	stores := f.openSeveral(f.workers)
	total := f.rounds * f.workers
	var written atomic.Int64
	suite.Concurrently(f, f.workers, func(worker int) error {
		random := rand.New(rand.NewPCG(5, uint64(worker)))
		for _, n := range random.Perm(f.rounds) {
			version := 1 + n*f.workers + worker
			item := tagged("a", version, fmt.Sprint("worker ", worker))
			result, err := stores[worker].Upsert(f.Context(), core.Flags, item.Key, item.Item)
			if err != nil {
				return err
			}
			winner, err := result.Item.Parse(core.Flags, item.Key)
			if err != nil {
				return err
			}
			if result.Written != (winner.Version() == version) || winner.Version() < version {
				return fmt.Errorf("upsert of version %d: Written is %t and the winner version %d", version, result.Written, winner.Version())
			}
			if result.Written {
				raise(&written, int64(version))
			}
		}
		return nil
	})
	if written.Load() != int64(total) {
		f.Fatalf("no upsert of the greatest version, %d, was written", total)
	}
	f.wantItem(stores[0], core.Flags, tagged("a", total, fmt.Sprint("worker ", f.workers-1)))
}

// testConcurrentOneVersion has workers upsert the same version with different contents, all at once.
func testConcurrentOneVersion(f *fixture) {
	stores := f.openSeveral(f.workers)
	for version := 1; version <= f.rounds; version++ {
		results := make([]core.UpsertResult, f.workers)
		suite.Concurrently(f, f.workers, func(worker int) (err error) {
			item := tagged("a", version, fmt.Sprint("worker ", worker))
			results[worker], err = stores[worker].Upsert(f.Context(), core.Flags, item.Key, item.Item)
			return err
		})
		winners := 0
		winner := core.SerializedItem{Version: version, Data: results[0].Item.Data}
		for worker, result := range results {
			if result.Written {
				winners++
			}
			if d := differs(result.Item, winner); d != "" {
				f.Fatalf("version %d: workers 0 and %d were told of different winners: %s", version, worker, d)
			}
		}
		if winners != 1 {
			f.Fatalf("version %d: %d workers were told that they wrote it, want 1", version, winners)
		}
		f.wantItem(stores[0], core.Flags, core.KeyedSerializedItem{Key: "a", Item: winner})
	}
}

func testConcurrentDifferentKeys(f *fixture) {
	stores := f.openSeveral(f.workers)
	want := make([]core.KeyedSerializedItem, 0, f.workers*f.rounds)
	for worker := range stores {
		want = append(want, numbered(fmt.Sprint("worker-", worker), f.rounds, 1)...)
	}
	suite.Concurrently(f, f.workers, func(worker int) error {
		for _, item := range want[worker*f.rounds : (worker+1)*f.rounds] {
			result, err := stores[worker].Upsert(f.Context(), core.Flags, item.Key, item.Item)
			if err != nil {
				return err
			}
			if d := differsInResult(result, item.Item, true); d != "" {
				return fmt.Errorf("upsert of %s, which no other worker writes: %s", item.Key, d)
			}
		}
		return nil
	})
	f.wantAll(stores[0], core.Flags, want...)
}

// testConcurrentMonotone has one store read while others write in random order.
func testConcurrentMonotone(f *fixture) {
	stores, reader := f.openSeveral(f.workers), f.open()
	var last int
	f.whileWriting(func() error {
		return suite.InParallel(f.workers, func(worker int) error {
			random := rand.New(rand.NewPCG(6, uint64(worker)))
			for range f.rounds {
				item := live("a", 1+random.IntN(f.rounds))
				if _, err := stores[worker].Upsert(f.Context(), core.Flags, item.Key, item.Item); err != nil {
					return err
				}
			}
			return nil
		})
	}, func() error {
		version, _, err := reader.version(f.Context(), core.Flags, "a")
		if err == nil && version < last {
			err = fmt.Errorf("version %d was read after version %d", version, last)
		}
		last = version
		return err
	})
}

// testConcurrentInitAndUpsert has Inits and upserts of greater versions collide. Whatever comes last, nothing may be
// half of one and half of the other, and later writes must work as ever.
func testConcurrentInitAndUpsert(f *fixture) {
	initialiser, upserter := f.open(), f.open()
	const size = 5
	old := numbered("flag", size, 1)
	for round := 1; round <= f.rounds; round++ {
		upserted := append(numbered("flag", size, 2*round), live("new", 2*round))
		suite.Concurrently(f, 2, func(worker int) error {
			if worker == 0 {
				return initialiser.Init(f.Context(), []core.SerializedCollection{collection(core.Flags, old...)})
			}
			for _, item := range upserted {
				if _, err := upserter.Upsert(f.Context(), core.Flags, item.Key, item.Item); err != nil {
					return err
				}
			}
			return nil
		})
		versions, err := upserter.versions(f.Context(), core.Flags)
		if err != nil {
			f.Fatalf("GetAll: %v", err)
		}
		for _, item := range upserted {
			version, found := versions[item.Key]
			if found && version != 1 && version != 2*round || !found && item.Key != "new" {
				f.Fatalf("round %d: %s has version %d (found: %t), want 1 or %d", round, item.Key, version, found, 2*round)
			}
			delete(versions, item.Key)
		}
		if len(versions) > 0 {
			f.Fatalf("round %d: there is also %v", round, versions)
		}
		f.upsert(upserter, core.Flags, live("flag-00000", 2*round+1))
		f.upsert(upserter, core.Flags, live("new", 2*round+1))
	}
	f.wantInitialized(upserter, true)
}
