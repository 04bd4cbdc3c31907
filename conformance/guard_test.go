package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestGuard_CallThatHangs_FailsTheSubtestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		o := testrun.Record(t, nil, func(t tester) {
			t.Run("hangs", func(t tester) {
				err := newGuard(t, time.Minute).do("Get", func() error { <-end; return nil })
				require.ErrorIs(t, err, errHung)
			})
			t.Run("works", func(t tester) {
				require.NoError(t, newGuard(t, time.Minute).do("Get", func() error { return nil }))
			})
		})
		close(end)
		require.Contains(t, o.Failed["hangs"], "Get did not return within 1m0s")
		require.NotContains(t, o.Failed, "works")
	})
}

func TestGuard_CallThatPanics_FailsTheSubtestOnly(t *testing.T) {
	o := testrun.Record(t, nil, func(t tester) {
		t.Run("panics", func(t tester) {
			err := newGuard(t, 0).do("Get", func() error { panic("for a test") })
			require.ErrorIs(t, err, errPanicked)
		})
	})
	require.Contains(t, o.Failed["panics"], "Get panicked: for a test")
}

func TestGuard_Patient_WaitsLonger(t *testing.T) {
	require.Equal(t, 4*defaultTimeout, newGuard(t, 0).patient().timeout)
}

func TestSuite_StoreThatHangs_EndsAndFails(t *testing.T) {
	h := memoryHarness(new(memorystore.Database))
	h.Timeout = time.Millisecond
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	h.Open = func(_ testing.TB, prefix string) core.FeatureStoreCore {
		return hanging{memorystore.New(nil, &memorystore.Options{Prefix: prefix}), end}
	}
	o := testrun.Record(t, nil, func(t tester) {
		runGroups(t, []group[*fixture]{getTests(), linearizabilityTests()}, func(t tester) *fixture {
			return newFixture(t, h, tinySizes())
		})
	})
	requireAllFail(t, o)
}

// requireAllFail asserts that all subtests failed but those of the harness. Names without a slash are those of groups.
func requireAllFail(t *testing.T, o *testrun.Outcomes) {
	t.Helper()
	for _, name := range o.Ran {
		if strings.Contains(name, "/") && !strings.HasPrefix(name, "Harness/") {
			require.Contains(t, o.Failed, name)
		}
	}
}

// hanging never answers.
type hanging struct {
	*memorystore.Store
	end chan struct{}
}

var errEnd = errors.New("the test ended")

func (s hanging) Get(context.Context, core.DataKind, string) (core.SerializedItem, bool, error) {
	<-s.end
	return core.SerializedItem{}, false, errEnd
}

func (s hanging) GetAll(context.Context, core.DataKind) ([]core.KeyedSerializedItem, error) {
	<-s.end
	return nil, errEnd
}

func TestSuite_HarnessWithoutStores_FailsEverywhere(t *testing.T) {
	h := memoryHarness(new(memorystore.Database))
	h.Open = func(testing.TB, string) core.FeatureStoreCore { return nil }
	big := BigSegmentsHarness{Open: func(testing.TB, string) core.BigSegmentStore { return nil }}
	o := testrun.Record(t, nil, func(t tester) {
		runFeatureStore(t, h, tinySizes())
		runBigSegments(t, big, tinySizes())
	})
	require.Subset(t, o.Ran, []string{"Get/MissingKeyIsNoError", "Read/NeverUpdatedHasZeroMetadata"})
	requireAllFail(t, o)
}
