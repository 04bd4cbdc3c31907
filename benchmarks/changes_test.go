package benchmarks

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

const (
	changesSeen = 300 // how many changes are made for the percentile
	// changesOfKind is the same where a watch reports a change of some item of a kind: the wrapper reads what is in use of it once
	// in 15 s, or 64 KB, so that only so many of one flag are followed at once.
	changesOfKind = 25
	// pollEvery is how often a reader looks, and with it the precision.
	pollEvery = 200 * time.Microsecond
	// ttlOfTheirs is the default of their wrapper.
	ttlOfTheirs = 15 * time.Second
)

func changeSeen(name, title string, ours, theirs func(b *bench) measure.Sample) workload {
	return workload{
		name: name, title: title, metric: measure.Percentile,
		goals: []measure.Goal{measure.Within(50 * time.Millisecond)},
		note: fmt.Sprintf("The 99th percentile over %d changes of 100 flags (Consul: %d of one flag, because its watch does not say "+
			"which flag has changed) of how long after the write of another store has returned a Get through our wrapper returns "+
			"what was written, in the mode with a TTL of 15 s. Theirs has the same TTL, and is measured with 30 flags that were "+
			"read at different times before the change.", changesSeen, changesOfKind),
		measure: func(b *bench) *measure.Comparison {
			round := measure.Round{measure.Ours: ours(b)}
			if theirs != nil && !b.quick {
				round[measure.Theirs] = theirs(b)
			}
			comparison := &measure.Comparison{}
			comparison.Add(round)
			b.details = latencies(round)
			return comparison
		},
	}
}

// latencies is a table of medians and 99th percentiles.
func latencies(round measure.Round) string {
	var text strings.Builder
	text.WriteString("| | median | 99th percentile |\n|---|---|---|")
	for _, side := range []measure.Side{measure.Ours, measure.Theirs} {
		if sample := round[side]; sample != nil {
			fmt.Fprintf(&text, "\n| %s | %v | %v |", side, rounded(sample[measure.Time]), rounded(sample[measure.Percentile]))
		}
	}
	return text.String()
}

func changeSeenRedis() workload {
	return changeSeen("changes/redis", "a change by another process is seen, Redis", func(b *bench) measure.Sample {
		r := newRedis(b)
		return ownChangeSeen(b, r.ours(b), redisReader(b, r), 100, changesSeen)
	}, func(b *bench) measure.Sample {
		r := newRedis(b)
		return theirChangeSeen(b, r.theirs(b), r.theirs(b))
	})
}

// redisReader makes a store with connections of its own, as another process has.
func redisReader(b *bench, r *redisSides) core.FeatureStoreCore {
	b.Helper()
	other := *r
	other.client = redisClient(b, r.url, &roundTrips{})
	return other.ours(b)
}

func changeSeenConsul() workload {
	return changeSeen("changes/consul", "a change by another process is seen, Consul", func(b *bench) measure.Sample {
		writer, reader := newConsulClient(b, containers.Consul(b), 0), newConsulClient(b, containers.Consul(b), 0)
		prefix := writer.prefix(b)
		return ownChangeSeen(b, writer.ours(b, prefix), reader.ours(b, prefix), 1, changesOfKind)
	}, func(b *bench) measure.Sample {
		client := newConsulClient(b, containers.Consul(b), 0)
		prefix := client.prefix(b)
		return theirChangeSeen(b, client.theirs(b, prefix), client.theirs(b, prefix))
	})
}

func changeSeenSQLite() workload {
	return changeSeen("changes/sqlite", "a change by another process is seen, SQLite", func(b *bench) measure.Sample {
		path := filepath.Join(b.TempDir(), "flags.db")
		stores := [2]core.FeatureStoreCore{}
		for i := range stores {
			store, err := sqlitestore.New(b.ctx(), path, nil)
			require.NoError(b, err)
			b.cleanup(store.Close)
			stores[i] = store
		}
		return ownChangeSeen(b, stores[0], stores[1], 100, changesSeen)
	}, nil)
}

// ownChangeSeen makes changes of so many flags with one store and looks for them through a wrapper over another.
func ownChangeSeen(b *bench, writer, reader core.FeatureStoreCore, flagCount, changes int) measure.Sample {
	b.Helper()
	flags := flagsOf(flagCount, ruleFlag)
	require.NoError(b, writer.Init(b.ctx(), serialized(flags, firstVersion)))
	w := wrapper(b, reader, caching.TTL(ttlOfTheirs))
	changed := make(chan struct{}, 1)
	remove := w.AddChangeListener(func(core.Change) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer remove()
	for _, flag := range flags {
		_, found, err := w.Get(b.ctx(), core.Flags, flag.key)
		require.True(b, found)
		require.NoError(b, err)
	}
	ctx, cancel := context.WithTimeout(b.ctx(), 2*time.Minute)
	defer cancel()
	see := func(i int) time.Duration { return ownChange(ctx, b, writer, w, flags[i%len(flags)], firstVersion+1+i) }
	see(0) // the watch may need a moment to begin
	var latencies []float64
	for i := range b.many(changes) {
		latencies = append(latencies, float64(see(i+1)))
	}
	require.NotEmpty(b, changed, "changes by others raise events")
	return measure.Sample{measure.Percentile: measure.PercentileOf(latencies, 0.99), measure.Time: measure.PercentileOf(latencies, 0.5)}
}

// ownChange returns how long it takes until a change is seen.
func ownChange(
	ctx context.Context, b *bench, writer core.FeatureStoreCore, reader core.FeatureStore, flag flagJSON, version int,
) time.Duration {
	b.Helper()
	pause(ctx) // so that changes come at any moment of whatever the watch does periodically
	item := core.SerializedItem{Version: version, Data: flag.withVersion(version)}
	result, err := writer.Upsert(ctx, core.Flags, flag.key, item)
	require.NoError(b, err)
	require.True(b, result.Written)
	begin := time.Now()
	for {
		seen, found, err := reader.Get(ctx, core.Flags, flag.key)
		require.NoError(b, err)
		require.True(b, found)
		if seen.Version() == version {
			return time.Since(begin)
		}
		require.NoError(b, ctx.Err(), "the change is not seen")
		<-time.After(pollEvery)
	}
}

// pause waits for a random time of up to 30 ms.
func pause(ctx context.Context) {
	var random [1]byte
	_, _ = rand.Read(random[:]) // it never fails
	select {
	case <-time.After(time.Duration(random[0]) * 30 * time.Millisecond / 256):
	case <-ctx.Done():
	}
}

// theirChangeSeen reads flags at different times, changes all of them, and measures how long each remains unseen.
func theirChangeSeen(b *bench, writer, reader subsystems.PersistentDataStore) measure.Sample {
	b.Helper()
	const n = 30
	flags, kind := flagsOf(n, ruleFlag), ldstoreimpl.Features()
	require.NoError(b, writer.Init(serializedLD(flags, firstVersion)))
	w := wrapperLD(b, keptOpen{reader}, func(builder *ldcomponents.PersistentDataStoreBuilder) { builder.CacheTime(ttlOfTheirs) })
	for _, flag := range flags {
		_, err := w.Get(kind, flag.key)
		require.NoError(b, err)
		<-time.After(ttlOfTheirs / (n + 2))
	}
	changed := serializedLD(flags, firstVersion+1)[0].Items
	for _, it := range changed {
		_, err := writer.Upsert(kind, it.Key, it.Item)
		require.NoError(b, err)
	}
	begin := time.Now()
	latencies := make([]float64, n)
	var group sync.WaitGroup
	for i, flag := range flags {
		group.Go(func() {
			for time.Since(begin) < 2*ttlOfTheirs {
				if item, err := w.Get(kind, flag.key); err == nil && item.Version > firstVersion {
					break
				}
				<-time.After(5 * time.Millisecond)
			}
			latencies[i] = float64(time.Since(begin))
		})
	}
	group.Wait()
	return measure.Sample{measure.Percentile: measure.PercentileOf(latencies, 0.99), measure.Time: measure.PercentileOf(latencies, 0.5)}
}

// keptOpen is a store that another owner closes.
type keptOpen struct{ subsystems.PersistentDataStore }

func (keptOpen) Close() error { return nil }
