package benchmarks

import (
	"errors"
	"strconv"

	"github.com/gomodule/redigo/redis"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldredis "github.com/launchdarkly/go-server-sdk-redis-redigo/v3"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/redisstore"
)

// redisSides is what a workload on Redis needs: clients whose round trips are counted apart.
type redisSides struct {
	url                       string
	client, bare              *goredis.Client // client is that of our store
	prefix, prefixLD          string
	trips, tripsLD, tripsBare *roundTrips
}

func newRedis(b *bench) *redisSides {
	b.Helper()
	r := &redisSides{
		url: containers.Redis(b), prefix: freshPrefix(), prefixLD: freshPrefix(),
		trips: &roundTrips{}, tripsLD: &roundTrips{}, tripsBare: &roundTrips{},
	}
	r.client, r.bare = redisClient(b, r.url, r.trips), redisClient(b, r.url, r.tripsBare)
	b.cleanup(func() error {
		for _, prefix := range []string{r.prefix, r.prefixLD} {
			keys, err := r.bare.Keys(b.ctx(), prefix+"*").Result()
			if err != nil {
				return err
			}
			if len(keys) > 0 {
				err = r.bare.Unlink(b.ctx(), keys...).Err()
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return r
}

func redisClient(b *bench, url string, trips *roundTrips) *goredis.Client {
	b.Helper()
	options, err := goredis.ParseURL(url)
	require.NoError(b, err)
	options.Dialer, options.ContextTimeoutEnabled = trips.dial, true
	client := goredis.NewClient(options)
	b.cleanup(client.Close)
	return client
}

// ours makes a store of ours.
func (r *redisSides) ours(b *bench) *redisstore.Store {
	b.Helper()
	store, err := redisstore.New(b.ctx(), r.client, &redisstore.Options{Prefix: r.prefix})
	require.NoError(b, err)
	b.cleanup(store.Close)
	return store
}

// theirs makes a store of theirs.
func (r *redisSides) theirs(b *bench) subsystems.PersistentDataStore {
	b.Helper()
	store := buildLD(b, ldredis.DataStore().URL(r.url).Prefix(r.prefixLD).DialOptions(redis.DialContextFunc(r.tripsLD.dial)))
	b.cleanup(store.Close)
	return store
}

func redisUpsert() workload {
	return workload{
		name: "redis/upsert", title: "Redis Upsert, 2 KB (bare: HSET)", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1.5, measure.Bare), measure.AtMost(measure.Requests, 1)},
		note: "By the server's statistics, theirs sends PING twice, WATCH, HGET, MULTI with HSET and EXEC, and UNWATCH for each " +
			"upsert, with the connection pool that it has by default. Ours is one EVALSHA, which compares, writes and tells.",
		setup: func(b *bench) sides {
			r, flag := newRedis(b), ruleFlag(1)
			version := firstVersion
			return sides{
				ours:   ownUpsert(b.ctx(), r.ours(b), flag, r.trips.counters()),
				theirs: theirUpsert(r.theirs(b), flag, r.tripsLD.counters()),
				bare: measure.Op{Counters: r.tripsBare.counters(), Run: func(n int) error {
					for range n {
						version++
						if err := r.bare.HSet(b.ctx(), r.prefix+":bare", flag.key, flag.withVersion(version)).Err(); err != nil {
							return err
						}
					}
					return nil
				}},
			}
		},
	}
}

func redisInit() workload {
	return workload{
		name: "redis/init", title: "Redis Init of 10,000 (ours is atomic, theirs is not)", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1, measure.Theirs)},
		note:  "That ours is atomic is what the conformance suite shows.",
		setup: func(b *bench) sides {
			r, flags := newRedis(b), flagsOf(b.many(10_000), ruleFlag)
			return sides{
				ours:   ownInit(b.ctx(), r.ours(b), flags, r.trips.counters()),
				theirs: theirInit(r.theirs(b), flags, r.tripsLD.counters()),
			}
		},
	}
}

func redisGetAll() workload {
	return workload{
		name: "redis/getall", title: "Redis GetAll of 10,000 (bare: HGETALL)", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1, measure.Bare)},
		note: "Ours sends the same command and, at the end, makes a list of the map that the driver makes of the answer, which " +
			"takes about half a millisecond. Less than the bare command would take a driver that can give the answer as a list.",
		setup: func(b *bench) sides {
			r, flags := newRedis(b), flagsOf(b.many(10_000), ruleFlag)
			ours, theirs := r.ours(b), r.theirs(b)
			require.NoError(b, ours.Init(b.ctx(), serialized(flags, firstVersion)))
			require.NoError(b, theirs.Init(serializedLD(flags, firstVersion)))
			return sides{
				ours: measure.Op{Counters: r.trips.counters(), Run: func(n int) error {
					for range n {
						if all, err := ours.GetAll(b.ctx(), core.Flags); len(all) != len(flags) || err != nil {
							return errors.Join(errWrong, err)
						}
					}
					return nil
				}},
				theirs: measure.Op{Counters: r.tripsLD.counters(), Run: func(n int) error {
					for range n {
						if all, err := theirs.GetAll(ldstoreimpl.Features()); len(all) != len(flags) || err != nil {
							return errors.Join(errWrong, err)
						}
					}
					return nil
				}},
				bare: measure.Op{Counters: r.tripsBare.counters(), Run: func(n int) error {
					for range n {
						if all, err := r.bare.HGetAll(b.ctx(), r.prefix+":features").Result(); len(all) != len(flags) || err != nil {
							return errors.Join(errWrong, err)
						}
					}
					return nil
				}},
			}
		},
	}
}

func redisMembership() workload {
	return workload{
		name: "redis/membership", title: "Redis membership of 10 big segments", metric: measure.Requests,
		goals: []measure.Goal{measure.AtMost(measure.Requests, 1)},
		setup: func(b *bench) sides {
			const hash = "72cBpXPyn4N6TqqlS8Tti37jEcoNhFzL9ZdG1jXkILE="
			r := newRedis(b)
			for _, prefix := range []string{r.prefix, r.prefixLD} {
				for i := range 10 {
					set := prefix + []string{":big_segment_include:", ":big_segment_exclude:"}[i%2] + hash
					require.NoError(b, r.bare.SAdd(b.ctx(), set, "segment-"+strconv.Itoa(i)+".g1").Err())
				}
			}
			ours, err := redisstore.NewBigSegments(b.ctx(), r.client, &redisstore.Options{Prefix: r.prefix})
			require.NoError(b, err)
			b.cleanup(ours.Close)
			theirs := buildLD(b, ldredis.BigSegmentStore().URL(r.url).Prefix(r.prefixLD).
				DialOptions(redis.DialContextFunc(r.tripsLD.dial)))
			b.cleanup(theirs.Close)
			included := ldvalue.NewOptionalBool(true)
			return sides{
				ours: measure.Op{Counters: r.trips.counters(), Run: func(n int) error {
					for range n {
						if m, err := ours.Membership(b.ctx(), hash); err != nil || m.CheckMembership("segment-4.g1") != included {
							return errors.Join(errWrong, err)
						}
					}
					return nil
				}},
				theirs: measure.Op{Counters: r.tripsLD.counters(), Run: func(n int) error {
					for range n {
						if m, err := theirs.GetMembership(hash); err != nil || m.CheckMembership("segment-4.g1") != included {
							return errors.Join(errWrong, err)
						}
					}
					return nil
				}},
			}
		},
	}
}
