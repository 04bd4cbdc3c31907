package cleat

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// slowSegments takes its time for a membership, and fails if it is broken.
type slowSegments struct {
	*memorystore.BigSegments
	latency time.Duration
	broken  atomic.Bool
	queries atomic.Int64
}

func (s *slowSegments) Membership(ctx context.Context, hash string) (core.BigSegmentMembership, error) {
	s.queries.Add(1)
	select {
	case <-time.After(s.latency):
	case <-ctx.Done():
		return core.BigSegmentMembership{}, ctx.Err()
	}
	if s.broken.Load() {
		return core.BigSegmentMembership{}, errors.New("cable cut")
	}
	return s.BigSegments.Membership(ctx, hash)
}

func (s *slowSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	if s.broken.Load() {
		return core.BigSegmentMetadata{}, errors.New("cable cut")
	}
	return s.BigSegments.Metadata(ctx)
}

const kinds = 8

// multiKind returns a context of eight kinds, and data of which flag "f0" asks for a big segment of each kind, "f1" and so on
// as well.
func multiKind(t *testing.T, flags int) (ldcontext.Context, []core.Collection) {
	t.Helper()
	builder := ldcontext.NewMultiBuilder()
	var segments []string
	var data []string
	for i := range kinds {
		kind, segment := fmt.Sprintf("kind%d", i), fmt.Sprintf("segment%d", i)
		builder.Add(ldcontext.NewWithKind(ldcontext.Kind(kind), fmt.Sprintf("key%d", i)))
		segments = append(segments, `"`+segment+`"`)
		data = append(data, segment, `{"key":"`+segment+`","version":1,"unbounded":true,"unboundedContextKind":"`+kind+`","generation":1}`)
	}
	for i := range flags {
		key := fmt.Sprintf("f%d", i)
		data = append(data, key, `{"key":"`+key+`","version":1,"on":true,"rules":[{"clauses":[{"op":"segmentMatch","values":[`+
			strings.Join(segments, ",")+`]}],"variation":0}],"fallthrough":{"variation":1},"variations":["in","out"]}`)
	}
	return builder.Build(), items(t, data...)
}

func TestClient_BigSegments_OneTimeoutForAnEvaluation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evalContext, data := multiKind(t, 1)
		client, _ := newTestClientWith(t, data, Config{
			BigSegmentStore: &slowSegments{BigSegments: bigSegmentStore(t), latency: 1900 * time.Millisecond},
		})
		began := time.Now()
		value, detail := client.StringVariationDetail(t.Context(), "f0", evalContext, "default")
		require.Equal(t, ldreason.BigSegmentsStoreError, detail.Reason.GetBigSegmentsStatus())
		require.Equal(t, ldreason.EvalReasonFallthrough, detail.Reason.GetKind())
		require.Equal(t, "out", value)
		require.Equal(t, bigsegments.DefaultQueryTimeout, time.Since(began))
	})
}

// A wait for big segments longer than what reading flags may take is no reason to give up the evaluation.
func TestClient_BigSegments_PatienceIsTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evalContext, data := multiKind(t, 1)
		client, _ := newTestClientWith(t, data, Config{
			BigSegmentStore: &slowSegments{BigSegments: bigSegmentStore(t), latency: 6 * time.Second},
			BigSegments:     bigsegments.Options{QueryTimeout: time.Minute, CacheTime: time.Hour},
		})
		_, detail := client.StringVariationDetail(t.Context(), "f0", evalContext, "default")
		require.Equal(t, ldreason.EvalReasonFallthrough, detail.Reason.GetKind())
		require.Equal(t, ldreason.BigSegmentsHealthy, detail.Reason.GetBigSegmentsStatus())
	})
}

func TestClient_AllFlagsState_OneTimeoutForEachContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evalContext, data := multiKind(t, 30)
		store := &slowSegments{BigSegments: bigSegmentStore(t), latency: time.Hour}
		client, _ := newTestClientWith(t, data, Config{
			BigSegmentStore: store, BigSegments: bigsegments.Options{StatusPollInterval: time.Millisecond},
		})
		began := time.Now()
		state := client.AllFlagsState(t.Context(), evalContext)
		require.True(t, state.Valid())
		require.Equal(t, ldvalue.String("out"), state.Value("f29"))
		require.LessOrEqual(t, time.Since(began), kinds*bigsegments.DefaultQueryTimeout)

	})
}

// A store that is asked for more than it can answer refuses a context once, and not for each flag.
func TestClient_AllFlagsState_WaitsOnceForAnOverloadedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evalContext, data := multiKind(t, 30)
		client, _ := newTestClientWith(t, data, Config{
			BigSegmentStore: &slowSegments{BigSegments: bigSegmentStore(t), latency: 1900 * time.Millisecond},
		})
		crowd, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			for i := 0; crowd.Err() == nil; i++ { // the last to come is served first
				callers.Go(func() { client.bigSegments.Membership(crowd, strconv.Itoa(i)) })
				time.Sleep(time.Millisecond)
			}
		})
		time.Sleep(time.Second)
		began := time.Now()
		state := client.AllFlagsState(t.Context(), evalContext.IndividualContextByKind("kind3"), WithReasons())
		took := time.Since(began)
		leave()
		callers.Wait()
		require.LessOrEqual(t, took, bigsegments.DefaultQueryTimeout)
		for key := range state.Values() {
			flag, _ := state.Flag(key)
			require.Equal(t, ldreason.BigSegmentsStoreError, flag.Reason.GetBigSegmentsStatus())
		}
	})
}

// What a value listener was told during an outage may be wrong, so it is told again when that is over.
func TestFlagTracker_FlagValueChange_BigSegmentStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowSegments{BigSegments: bigSegmentStore(t)}
		client, source := newTestClientWith(t, bigData(t), Config{
			BigSegmentStore: store, BigSegments: bigsegments.Options{StaleAfter: time.Hour},
		})
		var values collector[core.FlagValueChange]
		var flags collector[core.FlagChange]
		client.FlagTracker().AddFlagValueChangeListener("big", user, ldvalue.Null(), values.listen)
		client.FlagTracker().AddFlagChangeListener(flags.listen)
		store.broken.Store(true)
		time.Sleep(10 * time.Second)
		require.Empty(t, values.take(), "an outage by itself announces nothing")
		change := strings.Replace(bigFlag, `"version":1`, `"version":2`, 1)
		require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "big", keyed(t, "big", change).Item))
		require.Equal(t, []core.FlagValueChange{
			{Key: "big", OldValue: ldvalue.String("in"), NewValue: ldvalue.String("out")},
		}, values.take())
		require.Len(t, flags.take(), 1)

		store.broken.Store(false)
		time.Sleep(10 * time.Second)
		require.Equal(t, []core.FlagValueChange{
			{Key: "big", OldValue: ldvalue.String("out"), NewValue: ldvalue.String("in")},
		}, values.take())
		require.Empty(t, flags.take(), "no flag has changed")
	})
}

func TestFlagTracker_FlagValueChange_BigSegmentStoreIsRefilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memorystore.NewBigSegments(&memorystore.Database{}, nil)
		client, _ := newTestClientWith(t, bigData(t), Config{
			BigSegmentStore: store, BigSegments: bigsegments.Options{CacheTime: time.Hour},
		})
		var values collector[core.FlagValueChange]
		client.FlagTracker().AddFlagValueChangeListener("big", user, ldvalue.Null(), values.listen)
		_, err := store.ApplyPatch(t.Context(), core.BigSegmentPatch{
			SegmentRef: "segment.g2", Version: "1",
			Included: core.BigSegmentChanges{Add: []string{core.BigSegmentContextHash(user.Key())}},
		})
		require.NoError(t, err)
		require.NoError(t, store.SetLastUpToDate(t.Context(), ldtime.UnixMillisNow()))
		time.Sleep(10 * time.Second)
		require.Equal(t, []core.FlagValueChange{
			{Key: "big", OldValue: ldvalue.String("out"), NewValue: ldvalue.String("in")},
		}, values.take())
	})
}
