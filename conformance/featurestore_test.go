package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestSuite_StoreThatHangs_EndsAndFails(t *testing.T) {
	h := memoryHarness(new(memorystore.Database))
	h.Timeout = time.Millisecond
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	h.Open = func(_ testing.TB, prefix string) core.FeatureStoreCore {
		return hanging{memorystore.New(nil, &memorystore.Options{Prefix: prefix}), end}
	}
	o := testrun.Record(t, nil, func(t tester) {
		suite.Run(t, []group[*fixture]{getTests(), linearizabilityTests()}, func(t tester) *fixture {
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
	o := testrun.Record(t, nil, func(t tester) { runFeatureStore(t, h, tinySizes()) })
	require.Contains(t, o.Ran, "Get/MissingKeyIsNoError")
	requireAllFail(t, o)
}
